"""Decides what the prompt of one turn contains: the system text, as many past exchanges as fit the window, and the current exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from weakref import WeakKeyDictionary

from mmos.errors import WindowExceeded
from mmos.messages import Message
from mmos.prompting.budget import MARGIN, weigh
from mmos.views.conversation import History, Lane

REPLY_SHARE = 0.25
"""The share of the window that stays free for the reply."""


@dataclass(frozen=True)
class Plan:
    """Which part of a lane goes to the model in one turn, and its estimated length."""

    weight: float
    skipped: int
    """How many of the oldest exchanges were left out."""
    doubled: bool = False
    """Whether two messages of the user may follow each other, in one of the channels."""


def _same_side(one: Message, other: Message) -> bool:
    """Whether both may go out as messages of the user. A result does, in a channel that has no role for results."""
    return one.role in ("user", "tool") and other.role in ("user", "tool")


@dataclass
class Sums:
    """The sums of the weights of a history, up to each of its messages."""

    messages: list[Message] = field(default_factory=list)
    totals: list[float] = field(default_factory=lambda: [0.0])
    doubles: list[int] = field(default_factory=lambda: [0])
    """How many messages up to each may follow one of the same side."""

    def follow(self, messages: Sequence[Message]) -> list[float]:
        """The sums for these messages. A history grows and shrinks only at its end."""
        while self.messages and (len(self.messages) > len(messages) or self.messages[-1] is not messages[len(self.messages) - 1]):
            self.messages.pop()
            self.totals.pop()
            self.doubles.pop()
        for message in messages[len(self.messages) :]:
            self.doubles.append(self.doubles[-1] + (bool(self.messages) and _same_side(self.messages[-1], message)))
            self.messages.append(message)
            self.totals.append(self.totals[-1] + weigh(message))
        return self.totals


class Scale:
    """Weighs past messages once. It keeps the sums of each history and extends them."""

    def __init__(self) -> None:
        self._sums: WeakKeyDictionary[History, Sums] = WeakKeyDictionary()

    def past(self, lane: Lane, skip: int) -> float:
        """The weight of the lane's past without its `skip` oldest exchanges."""
        history = lane.history
        totals = self._sums.setdefault(history, Sums()).follow(history.messages)
        return totals[history.place(lane.past)] - totals[history.place(skip)] if skip < lane.past else 0.0

    def doubled(self, lane: Lane) -> bool:
        """Whether two neighbouring messages may be the user's."""
        sums = self._sums.get(lane.history)
        past = sums is not None and sums.doubles[lane.history.place(lane.past)] > 0
        return past or any(_same_side(one, other) for one, other in pairwise(lane.messages))


def compose(system: Message, lane: Lane, scale: Scale, *, window: int, overhead: float, skip: int, tokens: Callable[[float], int]) -> Plan:
    """Plan the whole conversation if it fits. If not, leave out the oldest half of the past, again and again. So the beginning of the prompt changes rarely."""
    room = int(window * (1 - REPLY_SHARE))
    least = overhead + weigh(system) + sum(map(weigh, lane.messages))
    while True:
        weight = least + scale.past(lane, skip)
        if tokens(weight * MARGIN) <= room:
            return Plan(weight, skip, scale.doubled(lane))
        if skip >= lane.past:
            break
        skip += max(1, (lane.past - skip) // 2)
    if tokens(least) <= window:  # nothing more can be left out, but it may fit: the host counts exactly
        return Plan(least, skip, scale.doubled(lane))
    raise WindowExceeded(
        f"The prompt has about {tokens(least)} tokens; the window of this role holds {window}.",
        prompt_tokens=tokens(least),
        window=window,
        next_step="Give the role a larger context_window, or shorten the task.",
    )
