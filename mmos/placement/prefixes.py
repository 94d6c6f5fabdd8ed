"""Remembers whose prompts the cache of a loaded model holds, as many as the model has slots."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmos.placement.facts import Call

RETURN_SECONDS = 120.0
"""A session that has been quiet for so long is a third as likely to return."""


@dataclass(slots=True)
class Held:
    """A prompt in the cache."""

    tokens: float
    head: str
    head_tokens: float
    used: float
    returns: bool
    """Whether it belongs to a session."""


class Prefixes:
    """The prompts in the cache of one loaded model. The one that was not used for longest goes first."""

    __slots__ = ("_held", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._held: dict[str, Held] = {}

    @property
    def sessions(self) -> list[str]:
        """The sessions whose prompts it holds, the newest last."""
        return [name for name, held in self._held.items() if held.returns]

    def credit(self, call: Call) -> float:
        """How many tokens of a call's prompt it holds."""
        if not self._held:
            return 0.0
        own = self._held.get(call.session) if call.session else None
        if own is not None:
            return min(own.tokens, call.prompt_tokens)
        if call.head and any(held.head == call.head for held in self._held.values()):
            return min(call.head_tokens, call.prompt_tokens)
        return 0.0

    def lost(self, call: Call, now: float, returning: float) -> float:
        """How many tokens other sessions would have to read again, if this call were sent here. `returning`: the share of calls that continue a session."""
        if len(self._held) < self.capacity or (call.session and call.session in self._held):
            return 0.0
        oldest = next(iter(self._held.values()))
        if not oldest.returns:
            return 0.0
        kept = oldest.head_tokens if call.head and call.head == oldest.head else 0.0
        return max(0.0, oldest.tokens - kept) * returning * math.exp((oldest.used - now) / RETURN_SECONDS)

    def take(self, attempt: int, call: Call, output: float, now: float) -> None:
        """A call was sent: its prompt takes a place."""
        name = call.session or f"\n{attempt}"
        self._held.pop(name, None)
        while len(self._held) >= self.capacity:
            del self._held[next(iter(self._held))]
        self._held[name] = Held(call.prompt_tokens + output, call.head, call.head_tokens, now, bool(call.session))

    def clear(self) -> None:
        self._held.clear()
