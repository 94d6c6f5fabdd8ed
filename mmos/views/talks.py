"""Builds what was said in the talks of a run, and how each ended, from their events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args

from mmos import talk_events as events
from mmos.event import Event

TOOL = "start_multi_model_conversation"
"""The tool that opens a talk."""

DONE = {"pass": "passed", "modify": "modified", "redirect": "redirected", "drop": "dropped"}
"""How the document calls what reviews did."""


@dataclass(frozen=True)
class Said:
    """A message as it is after its review."""

    sent: events.MessageSent
    review: events.MessageReviewed | None = None

    @property
    def number(self) -> int:
        return self.sent.number

    @property
    def text(self) -> str:
        """What others read."""
        return self.review.text if self.review is not None and self.review.action == "modify" else self.sent.text

    @property
    def claims(self) -> tuple[str, ...]:
        review = self.review
        return review.claims if review is not None and review.action == "modify" and review.claims is not None else self.sent.claims

    @property
    def to(self) -> str:
        return self.review.to if self.review is not None and self.review.action == "redirect" else self.sent.to

    @property
    def dropped(self) -> bool:
        return self.review is not None and self.review.action == "drop"

    def reaches(self, name: str) -> bool:
        """Whether a participant reads it. Nobody reads its own message again."""
        return not self.dropped and name != self.sent.sender and self.to in (name, events.ALL)


@dataclass
class Talk:
    """One talk of a run."""

    opened: events.TalkOpened
    sent: dict[int, events.MessageSent] = field(default_factory=dict)
    reviews: dict[int, events.MessageReviewed] = field(default_factory=dict)
    proposals: list[events.ConclusionProposed] = field(default_factory=list)
    steered: list[events.TalkSteered] = field(default_factory=list)
    noticed: list[events.TalkNoticed] = field(default_factory=list)
    closed: events.TalkClosed | None = None

    @property
    def messages(self) -> list[Said]:
        return [Said(sent, self.reviews.get(number)) for number, sent in sorted(self.sent.items())]

    def document(self) -> dict[str, Any]:
        counts = Counter(DONE[review.action] for review in self.reviews.values() if review.action in DONE)
        closed = self.closed
        return {
            "id": self.opened.talk, "mode": self.opened.mode, "topic": self.opened.topic, "goal": self.opened.goal,
            "participants": list(self.opened.participants), "messages": len(self.sent),
            "reviews": {DONE[action]: counts[DONE[action]] for action in get_args(events.Action)},
            "unverified": sum(not review.verified for review in self.reviews.values()),
            "ended": closed.ended if closed else None,
            "verdict": closed.verdict if closed else None,
            "dissent": closed.dissent if closed else None,
            "record": dict(closed.record) if closed else {},
            "noticed": [{"what": one.what, "who": list(one.who), "detail": one.detail} for one in self.noticed],
        }  # fmt: skip


@dataclass
class Talks:
    """The talks of a run, by id, and who passed its task on."""

    by_id: dict[str, Talk] = field(default_factory=dict)
    handed: list[events.TaskHandedOver] = field(default_factory=list)

    @property
    def in_charge(self) -> events.TaskHandedOver | None:
        """The newest handing over. None: nobody has the task but the role that began."""
        return self.handed[-1] if self.handed and not self.handed[-1].back else None

    def passed_on(self, call: str) -> bool:
        """Whether a call passed the task on to a role that did not hand it back."""
        return self.in_charge is not None and self.in_charge.call == call

    def apply(self, event: Event) -> None:
        if isinstance(event, events.TalkOpened):
            self.by_id.setdefault(event.talk, Talk(event))
        elif isinstance(event, events.TaskHandedOver):
            self.handed.append(event)
        elif (talk := self.by_id.get(getattr(event, "talk", ""))) is not None and (fold := _FOLDS.get(type(event))):
            fold(talk, event)

    def documents(self) -> list[dict[str, Any]]:
        return [talk.document() for talk in self.by_id.values()]


def _sent(talk: Talk, event: events.MessageSent) -> None:
    talk.sent[event.number] = event


def _reviewed(talk: Talk, event: events.MessageReviewed) -> None:
    talk.reviews[event.number] = event


def _proposed(talk: Talk, event: events.ConclusionProposed) -> None:
    talk.proposals.append(event)


def _steered(talk: Talk, event: events.TalkSteered) -> None:
    if event not in talk.steered:  # the process that works on the run may read its own text again
        talk.steered.append(event)


def _noticed(talk: Talk, event: events.TalkNoticed) -> None:
    talk.noticed.append(event)


def _closed(talk: Talk, event: events.TalkClosed) -> None:
    talk.closed = event


_FOLDS: dict[type[Event], Callable[[Talk, Any], None]] = {
    events.MessageSent: _sent,
    events.MessageReviewed: _reviewed,
    events.ConclusionProposed: _proposed,
    events.TalkSteered: _steered,
    events.TalkNoticed: _noticed,
    events.TalkClosed: _closed,
}
KINDS = (events.TalkOpened, events.TaskHandedOver, *_FOLDS)
"""The events that change the talks of a run."""
