"""Reads out of the journal how choices turned out: a fold over events, and the only source of what is learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mmos.choice_events import TaskRouted
from mmos.event import Status
from mmos.events import Entry, Event, RunFinished, RunRated, RunStarted, RunWithdrawn
from mmos.quality_events import AnswerJudged
from mmos.selection.evidence import Outcome

KINDS = tuple(event.kind for event in (RunStarted, TaskRouted, RunFinished, RunRated, RunWithdrawn, AnswerJudged))
"""The events that say how a choice turned out."""

BY_USER, BY_JUDGE, AGAIN, FAILED, QUIET = 1.0, 0.7, 0.7, 1.0, 0.3
"""How much an outcome says: a rating, a verdict, a task that was asked again, a run that failed, an answer that nobody complained about."""

FAULTS = frozenset(
    {
        "no_answer",
        "loop",
        "limit_turns",
        "limit_total_turns",
        "limit_calls",
        "limit_tokens",
        "repetition",
        "schema_unmet",
        "timeout",
        "window_exceeded",
        "call_malformed",
    }
)
"""Reasons of a failure that say something about the model. A host that is down does not."""


@dataclass
class _Routed:
    """A run with its choice."""

    kind: str
    key: str
    thread: str
    task: str
    rated: bool | None = None
    judged: bool = False
    again: bool = False


@dataclass
class Outcomes:
    """How the choices of runs turned out, as their events come."""

    rehearsed: bool = False
    """Whether it looks at rehearsed runs. Scripted models teach nothing about real ones."""
    _tasks: dict[str, str] = field(default_factory=dict)
    """The task of each run that has no choice yet."""
    _routed: dict[str, _Routed] = field(default_factory=dict)
    _newest: dict[str, str] = field(default_factory=dict)
    """The newest run of each thread that has a choice."""

    def of(self, entries: Iterable[Entry]) -> Iterator[Outcome]:
        """The outcomes that these entries show, in their order. They follow those that it was given before."""
        return (outcome for _, outcome in self.with_runs(entries))

    def with_runs(self, entries: Iterable[Entry]) -> Iterator[tuple[str, Outcome]]:
        """The same, each with the run whose choice it is about."""
        for entry in entries:
            again = self._newest.get(entry.thread, "") if isinstance(entry.event, RunStarted) else entry.run
            for outcome in self._apply(entry, entry.event):
                yield again, outcome

    def _apply(self, entry: Entry, event: Event) -> Iterator[Outcome]:
        if isinstance(event, RunStarted):
            if event.rehearsed is not self.rehearsed:
                return
            self._tasks[entry.run] = event.task
            yield from self._asked_again(entry, event.task)
        elif isinstance(event, TaskRouted):
            if event.type and event.key and entry.run in self._tasks:
                self._routed[entry.run] = _Routed(event.type, event.key, entry.thread, _plain(self._tasks[entry.run]))
                self._newest[entry.thread] = entry.run
            self._tasks.pop(entry.run, None)
        elif (routed := self._routed.get(entry.run)) is not None:
            yield from _shown(routed, event)
        elif isinstance(event, RunFinished):
            self._tasks.pop(entry.run, None)  # nobody routed it

    def _asked_again(self, entry: Entry, task: str) -> Iterator[Outcome]:
        """The same task in the same thread: the answer before was not good enough."""
        before = self._routed.get(self._newest.get(entry.thread, ""))
        if before is not None and not before.again and before.task == _plain(task):
            before.again = True
            yield Outcome(before.kind, before.key, 0.0, AGAIN)


def _shown(routed: _Routed, event: Event) -> Iterator[Outcome]:
    """What an event shows about the choice of its run."""
    match event:
        case RunRated(good=good) if good is not routed.rated:
            weight = BY_USER if routed.rated is None else 2 * BY_USER  # the other rating no longer counts
            routed.rated = good
            yield Outcome(routed.kind, routed.key, float(good), weight)
        case RunWithdrawn() if not routed.again:
            routed.again = True
            yield Outcome(routed.kind, routed.key, 0.0, AGAIN)
        case AnswerJudged(verdict=verdict, step="answer") if verdict != "cannot_verify" and not routed.judged:
            routed.judged = True
            yield Outcome(routed.kind, routed.key, float(verdict == "pass"), BY_JUDGE)
        case RunFinished(status=status, reason=reason):
            yield from _ended(routed, status, reason.code if reason else "")


def _ended(routed: _Routed, status: Status, code: str) -> Iterator[Outcome]:
    if status == "answered":
        yield Outcome(routed.kind, routed.key, 1.0, QUIET)
    elif status in ("failed", "partial") and code in FAULTS:
        yield Outcome(routed.kind, routed.key, 0.0, FAILED)


def _plain(task: str) -> str:
    """A task without capitals and spaces: the same words are the same task."""
    return " ".join(task.casefold().split())
