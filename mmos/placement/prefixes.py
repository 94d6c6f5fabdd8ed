"""Remembers whose prompts the cache of a loaded model holds: the last one in each slot."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from mmos.placement.facts import Call, Mark

RETURN_SECONDS = 120.0
"""A beginning that was not wanted for so long is a third as likely to be wanted again."""
SIMILAR = 0.1
"""The share of a prompt that a slot must hold, so that the call takes that slot."""
MOST_MARKS = 100_000
"""Beginnings that are remembered."""
NOTHING: Mapping[int, float] = {}
FADING = 0.99
"""The part of the count of new beginnings that is left after one more call."""


class Beginnings:
    """Learns which beginnings of prompts are wanted again: those that were wanted often, and as many of the new ones as usual."""

    def __init__(self) -> None:
        self._uses: dict[int, int] = {}
        """How often each was wanted."""
        self._new, self._second = 8.0, 4.0
        """Calls with new beginnings, and with those that were wanted a second time."""

    def meet(self, call: Call) -> None:
        """A call wants its beginnings."""
        new = second = 0
        uses = self._uses
        for mark, _ in call.blocks:
            count = uses.pop(mark, 0) + 1
            uses[mark] = count
            new += count == 1
            second += count == 2
        share = 1.0 / max(1, len(call.blocks))
        self._new = self._new * FADING + new * share
        self._second = self._second * FADING + second * share
        while len(uses) > MOST_MARKS:
            del uses[next(iter(uses))]

    @property
    def returning(self) -> float:
        """The share of new beginnings that are wanted a second time."""
        return min(1.0, self._second / self._new)

    def likely(self, mark: int) -> float:
        """How likely a beginning is wanted again."""
        count = self._uses.get(mark, 1)
        return self.returning if count < 2 else count / (count + 1.0)


def longest(marks: Sequence[Mark], held: Container[int]) -> int:
    """The longest beginning that is held. 0: none. Who has a beginning has all shorter ones."""
    least, most = 0, len(marks)
    while least < most:
        middle = (least + most) // 2
        if marks[middle][0] in held:
            least = middle + 1
        else:
            most = middle
    return marks[least - 1][0] if least else 0


@dataclass(slots=True, eq=False)
class Slot:
    """A slot with the prompt that it had last."""

    marks: Sequence[Mark] = ()
    held: Mapping[int, float] = field(default_factory=dict)
    """For each beginning of its prompt, the tokens."""
    tokens: float = 0.0
    """With the answer."""
    worth: float = 0.0
    """The tokens that will be wanted again, as far as is known."""
    worth_until: Mapping[int, float] = field(default_factory=dict)
    """The same for each beginning. Empty: not computed yet."""
    used: float = -math.inf
    attempt: int = 0
    """The call that it works on. 0: none."""

    def match(self, call: Call) -> int:
        """The longest beginning of a call's prompt that it holds. 0: none."""
        return longest(call.blocks, self.held)

    def holds(self, call: Call) -> float:
        """How many tokens of a call's prompt it holds."""
        return self._tokens(call, self.match(call)) if self.held else 0.0

    def _tokens(self, call: Call, mark: int) -> float:
        """What follows the whole prompt in a conversation is the answer."""
        if not mark:
            return 0.0
        return min(call.prompt_tokens, self.tokens if mark == self.marks[-1][0] else self.held[mark])

    def outlook(self, call: Call, now: float, beginnings: Beginnings) -> tuple[float, float]:
        """How many tokens of a call's prompt it holds, and how many others will have to read again when the call takes it."""
        if not self.held:
            return 0.0, 0.0
        mark = self.match(call)
        if mark == self.marks[-1][0]:
            return self._tokens(call, mark), 0.0
        if not self.worth_until:
            self._weigh(beginnings)
        lost = self.worth - self.worth_until.get(mark, 0.0)
        return self._tokens(call, mark), lost * math.exp((self.used - now) / RETURN_SECONDS)

    def _weigh(self, beginnings: Beginnings) -> None:
        """Compute what it is worth."""
        worth, before, until = 0.0, 0.0, {}
        for mark, tokens in self.marks:
            worth += (tokens - before) * beginnings.likely(mark)
            until[mark], before = worth, tokens
        self.worth, self.worth_until = worth, until


class Prefixes:
    """The slots of one loaded model. A call gets the free one that holds most of its prompt, or the one that was not used for longest."""

    __slots__ = ("_beginnings", "_by_attempt", "_by_mark", "_capacity", "_chosen", "_free", "_queued")

    def __init__(self, capacity: int, beginnings: Beginnings) -> None:
        self._capacity = capacity
        self._beginnings = beginnings
        self.clear()

    def clear(self) -> None:
        self._free = dict.fromkeys(Slot() for _ in range(self._capacity))
        """The one that was not used for longest comes first."""
        self._by_mark: dict[int, dict[Slot, None]] = {}
        """The free slots that hold each beginning."""
        self._by_attempt: dict[int, Slot] = {}
        self._queued: dict[int, tuple[Call, float]] = {}
        """Calls that were sent although all slots were taken. The first gets the slot that is free first."""
        self._chosen: tuple[Call, Slot] | None = None
        """The slot of the call that was weighed last: often it is sent next."""

    @property
    def slots(self) -> Sequence[Slot]:
        """Its slots: those that no call uses first, the one that was used last before the others."""
        return [*reversed(self._free), *self._by_attempt.values()]

    def outlook(self, call: Call, now: float) -> tuple[float, float]:
        """How many tokens of a call's prompt it would find, and how many others would have to read again."""
        return self._slot(call).outlook(call, now, self._beginnings)

    def take(self, attempt: int, call: Call, output: float, now: float) -> None:
        """A call was sent: its prompt takes a slot."""
        if not self._free:
            self._queued[attempt] = call, output
            return
        slot = self._slot(call)
        self._chosen = None
        del self._free[slot]
        for mark in slot.held:
            slots = self._by_mark[mark]
            del slots[slot]
            if not slots:
                del self._by_mark[mark]
        slot.marks, slot.held = call.blocks, dict(call.blocks)
        slot.tokens = call.prompt_tokens + output
        slot.used, slot.attempt, slot.worth_until = now, attempt, NOTHING
        self._by_attempt[attempt] = slot

    def release(self, attempt: int, now: float) -> None:
        """A call has ended. Its prompt stays."""
        self._queued.pop(attempt, None)
        slot = self._by_attempt.pop(attempt, None)
        if slot is None:
            return
        self._chosen = None
        slot.used, slot.attempt, slot.worth_until = now, 0, NOTHING
        self._free[slot] = None
        for mark in slot.held:
            self._by_mark.setdefault(mark, {})[slot] = None
        if self._queued:
            first = next(iter(self._queued))
            self.take(first, *self._queued.pop(first), now)

    def _slot(self, call: Call) -> Slot:
        if not self._free:  # a call waits for the slot that gets free first, which nobody knows: perhaps the one that fits
            busy = self._by_attempt.values()
            return max(busy, key=lambda slot: (slot.holds(call), -slot.used))
        if self._chosen is not None and self._chosen[0] is call:
            return self._chosen[1]
        slot = self._best(call)
        self._chosen = call, slot
        return slot

    def _best(self, call: Call) -> Slot:
        """The free slot that a call takes."""
        if len(self._free) > 1 and (mark := longest(call.blocks, self._by_mark)):
            best = next(reversed(self._by_mark[mark]))
            if best.holds(call) > SIMILAR * call.prompt_tokens:
                return best
        return next(iter(self._free))
