"""Remembers whose prompts the cache of a loaded model holds: the last one in each slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmos.placement.facts import Call

RETURN_SECONDS = 120.0
"""A session that has been quiet for so long is a third as likely to return."""
SIMILAR = 0.1
"""The share of a prompt that a slot must hold, so that the call takes that slot."""


@dataclass(slots=True)
class Slot:
    """A slot with the prompt that it had last."""

    session: str = ""
    tokens: float = 0.0
    head: str = ""
    head_tokens: float = 0.0
    used: float = -math.inf
    attempt: int = 0
    """The call that it works on. 0: none."""

    def holds(self, call: Call) -> float:
        """How many tokens of a call's prompt it holds."""
        if call.session and call.session == self.session:
            return min(self.tokens, call.prompt_tokens)
        return min(call.head_tokens, self.head_tokens) if call.head and call.head == self.head else 0.0


class Prefixes:
    """The slots of one loaded model. A call gets the free one that holds most of its prompt, or the one that was not used for longest."""

    __slots__ = ("_slots",)

    def __init__(self, capacity: int) -> None:
        self._slots = [Slot() for _ in range(capacity)]

    @property
    def sessions(self) -> list[str]:
        """The sessions whose prompts are in free slots."""
        return [slot.session for slot in self._slots if slot.session and not slot.attempt]

    def outlook(self, call: Call, now: float, returning: float) -> tuple[float, float]:
        """How many tokens of a call's prompt it would find, and how many another session would have to read again.

        `returning`: the share of calls that continue a session.
        """
        slot = self._slot(call)
        found = slot.holds(call)
        if not slot.session or slot.session == call.session:
            return found, 0.0
        return found, max(0.0, slot.tokens - found) * returning * math.exp((slot.used - now) / RETURN_SECONDS)

    def take(self, attempt: int, call: Call, output: float, now: float) -> None:
        """A call was sent: its prompt takes a slot."""
        slot = self._slot(call)
        slot.session, slot.tokens = call.session, call.prompt_tokens + output
        slot.head, slot.head_tokens = call.head, call.head_tokens
        slot.used, slot.attempt = now, attempt

    def release(self, attempt: int, now: float) -> None:
        """A call has ended. Its prompt stays."""
        for slot in self._slots:
            if slot.attempt == attempt:
                slot.used, slot.attempt = now, 0

    def clear(self) -> None:
        self._slots = [Slot() for _ in self._slots]

    def _slot(self, call: Call) -> Slot:
        slots = self._slots
        if len(slots) == 1:
            return slots[0]
        free = [slot for slot in slots if not slot.attempt] or slots
        best = max(free, key=lambda slot: slot.holds(call))
        return best if best.holds(call) > SIMILAR * call.prompt_tokens else min(free, key=lambda slot: slot.used)
