"""Remembers whose prompts the cache of a loaded model holds: the last one in each slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmos.placement.facts import Call

RETURN_SECONDS = 120.0
"""A session that has been quiet for so long is a third as likely to return."""
SIMILAR = 0.1
"""The share of a prompt that a slot must hold, so that the call takes that slot."""


@dataclass(slots=True, eq=False)
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

    __slots__ = ("_by_attempt", "_by_session", "_capacity", "_free")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.clear()

    def clear(self) -> None:
        self._free = dict.fromkeys(Slot() for _ in range(self._capacity))
        """The one that was not used for longest comes first."""
        self._by_attempt: dict[int, Slot] = {}
        self._by_session: dict[str, Slot] = {}

    @property
    def sessions(self) -> list[str]:
        """The sessions whose prompts are in free slots, the newest last."""
        return [slot.session for slot in self._free if slot.session]

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
        self._by_attempt.pop(slot.attempt, None)
        if self._by_session.get(slot.session) is slot:
            del self._by_session[slot.session]
        slot.session, slot.tokens = call.session, call.prompt_tokens + output
        slot.head, slot.head_tokens = call.head, call.head_tokens
        slot.used, slot.attempt = now, attempt
        self._free.pop(slot, None)
        self._by_attempt[attempt] = slot
        if slot.session:
            self._by_session[slot.session] = slot

    def release(self, attempt: int, now: float) -> None:
        """A call has ended. Its prompt stays."""
        slot = self._by_attempt.pop(attempt, None)
        if slot is not None:
            slot.used, slot.attempt = now, 0
            self._free[slot] = None

    def _slot(self, call: Call) -> Slot:
        if not self._free:  # a call waits for the slot that gets free first, which nobody knows
            return self._by_session.get(call.session) or min(self._by_attempt.values(), key=lambda slot: slot.used)
        least, mine = SIMILAR * call.prompt_tokens, self._by_session.get(call.session)
        if mine is not None and mine in self._free and mine.holds(call) > least:
            return mine
        if call.head:
            best = max(self._free, key=lambda slot: slot.holds(call))
            if best.holds(call) > least:
                return best
        return next(iter(self._free))
