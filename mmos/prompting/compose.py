"""Decides what the prompt of one turn contains: the system text, as many past exchanges as fit the window, and the current exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from operator import add, sub
from typing import NamedTuple
from weakref import WeakKeyDictionary

from mmos.errors import WindowExceeded
from mmos.messages import Message
from mmos.prompting.budget import MARGIN, NOTHING, USUAL, Counts, count, count_message, tokens_of, total
from mmos.prompting.frame import Frame
from mmos.views.conversation import Lane
from mmos.views.history import History

REPLY_SHARE = 0.25
"""The share of the window that stays free for the reply."""

DOUBT = 0.25
"""If a host's count is further from the estimate than this share, MMOS does not build on it: the host may have cut the prompt."""


class Known(NamedTuple):
    """What an earlier prompt consisted of, and how many tokens its host counted."""

    counts: Counts
    tokens: int


class Plan(NamedTuple):
    """Which part of a lane goes to the model in one turn, and its estimated length."""

    counts: Counts
    skipped: int
    """How many of the oldest exchanges were left out."""
    doubled: bool = False
    """Whether two messages of the user may follow each other, in one of the channels."""
    tokens: int = 0
    """The estimate."""
    estimated: float = 0.0
    """How many of them no host has counted."""
    known: Known | None = None
    """The prompt that it continues, if a host has counted that one."""
    tight: bool = False
    """Whether the reply has less room than it should have."""


def _same_side(one: Message, other: Message) -> bool:
    """Whether both may go out as messages of the user. A result does, in a channel that has no role for results."""
    return one.role in ("user", "tool") and other.role in ("user", "tool")


@dataclass
class Sums:
    """What a history consists of, up to each of its messages."""

    source: list[Message]
    """The list of the history. It is another one when messages in the middle have changed."""
    messages: list[Message] = field(default_factory=list)
    totals: list[Counts] = field(default_factory=lambda: [NOTHING])
    doubles: list[int] = field(default_factory=lambda: [0])
    """How many messages up to each may follow one of the same side."""

    def follow(self) -> list[Counts]:
        """The sums for the messages. A list grows and shrinks only at its end."""
        messages = self.source
        while self.messages and (len(self.messages) > len(messages) or self.messages[-1] is not messages[len(self.messages) - 1]):
            self.messages.pop()
            self.totals.pop()
            self.doubles.pop()
        for message in messages[len(self.messages) :]:
            self.doubles.append(self.doubles[-1] + (bool(self.messages) and _same_side(self.messages[-1], message)))
            self.messages.append(message)
            self.totals.append(tuple(map(add, self.totals[-1], count_message(message))))
        return self.totals


class Scale:
    """Counts past messages once. It keeps the sums of each history and extends them."""

    def __init__(self) -> None:
        self._sums: WeakKeyDictionary[History, Sums] = WeakKeyDictionary()

    def past(self, lane: Lane, skip: int) -> Counts:
        """What the lane's past consists of, without its `skip` oldest exchanges."""
        return self.between(lane.history, lane.past, skip)

    def between(self, history: History, past: int, skip: int) -> Counts:
        """The same for a history that had this many exchanges."""
        sums = self._sums.get(history)
        if sums is None or sums.source is not history.messages:
            sums = self._sums[history] = Sums(history.messages)
        totals = sums.follow()
        counts = tuple(map(sub, totals[history.place(past)], totals[history.place(skip)])) if skip < past else NOTHING
        if history.summary is None or skip < history.summarised:
            return counts
        return total(counts, count_message(history.summary))

    def doubled(self, lane: Lane) -> bool:
        """Whether two neighbouring messages may be the user's."""
        sums = self._sums.get(lane.history)
        end = lane.history.place(lane.past)
        past = lane.history.summary is not None or (sums is not None and sums.doubles[end] > 0)
        present = [*lane.history.messages[end - 1 : end], *lane.messages] if end else lane.messages
        return past or any(_same_side(one, other) for one, other in pairwise(present))


class Space(NamedTuple):
    """The window of a model, how the model counts, and what this turn adds to its messages."""

    window: int
    model: str = ""
    rates: Counts = USUAL
    tail: str = ""
    images: int = 0
    """The tokens of images."""


def compose(frame: Frame, lane: Lane, scale: Scale, space: Space, *, skip: int) -> Plan:
    """Plan the whole conversation if it fits. If not, leave out the oldest half of the past, again and again. So the beginning of the prompt changes rarely."""
    least = total(frame.overhead, count_message(frame.system), *map(count_message, lane.messages))
    if space.tail:
        least = total(least, count(space.tail))
    most = int(space.window * (1 - REPLY_SHARE))
    while True:
        plan = _plan(total(least, scale.past(lane, skip)), skip, scale.doubled(lane), space, _known(frame, lane, scale, space, skip))
        if plan.tokens + plan.estimated * (MARGIN - 1) <= most:
            return plan
        if skip >= lane.past:
            break
        skip += max(1, (lane.past - skip) // 2)
    if plan.tokens <= space.window:  # nothing more can be left out, but it may fit: the host counts exactly
        return plan._replace(tight=True)
    raise WindowExceeded(
        f"The prompt has about {plan.tokens} tokens; the window of this role holds {space.window}.",
        prompt_tokens=plan.tokens,
        window=space.window,
        next_step="Give the role a larger context_window, or shorten the task.",
    )


def _plan(counts: Counts, skip: int, doubled: bool, space: Space, known: Known | None) -> Plan:
    """Of a prompt that continues a counted one, only the new part is estimated."""
    if known is None:
        tokens = tokens_of(space.rates, counts) + space.images
        return Plan(counts, skip, doubled, int(tokens) + 1, tokens)
    new = tokens_of(space.rates, tuple(map(sub, counts, known.counts)))
    return Plan(counts, skip, doubled, max(1, int(known.tokens + new) + 1), max(0.0, new), known)


def _known(frame: Frame, lane: Lane, scale: Scale, space: Space, skip: int) -> Known | None:
    """The newest prompt of this conversation that its host has counted, if it has the same beginning and its count is credible."""
    newest = lane.history.counted
    if newest is None or newest.past > lane.past or space.images:
        return None
    asked = newest.asked
    if asked.skipped != skip or asked.model != space.model or asked.shows or asked.words or asked.frame != frame.event.frame:
        return None
    messages = [frame.system, *newest.messages]
    counts = total(frame.overhead, scale.between(lane.history, newest.past, skip), *map(count_message, messages))
    if asked.tail:
        counts = total(counts, count(asked.tail))
    is_credible = abs(tokens_of(space.rates, counts) - newest.tokens) <= DOUBT * newest.tokens
    return Known(counts, newest.tokens) if is_credible else None
