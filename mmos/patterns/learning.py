"""Learns out of the journal how far each model is to be trusted: from evaluations, and from answers of votes that the user rated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmos.choice.classifier import classifier_of
from mmos.event import Event
from mmos.events import RunRated, RunStarted
from mmos.pattern_events import MemberEnded, MemberVoted, PatternEnded, PatternEvaluated
from mmos.scope import Scope
from mmos.voting.trust import Mark, Trust

MOST_RATED = 50
"""The newest rated runs that are read."""
MOST_MARKS = 10_000
_OF_RUN = tuple(event.kind for event in (RunStarted, MemberEnded, MemberVoted, PatternEnded))


async def trust_of(scope: Scope) -> Trust:
    """What is known of models now. Scripted models teach nothing about real ones, and the other way round."""
    journal, rehearsed = scope.journal, scope.view.rehearsed
    entries = await journal.read(kinds=(PatternEvaluated.kind, RunRated.kind))
    newest = {entry.event.name: entry.event for entry in entries if isinstance(entry.event, PatternEvaluated)}
    rated = {entry.run: entry.event.good for entry in entries if isinstance(entry.event, RunRated)}
    marks = [mark for event in newest.values() if event.rehearsed is rehearsed for mark in _evaluated(event)]
    for run, good in list(rated.items())[-MOST_RATED:]:
        events = [entry.event for entry in await journal.read(run=run, kinds=_OF_RUN)]
        started = next((event for event in events if isinstance(event, RunStarted)), None)
        if started is not None and started.rehearsed is rehearsed:
            marks += _rated(events, classifier_of({}).classify(started.task).type or "", good=good)
    return Trust.of(marks[-MOST_MARKS:])


def _evaluated(event: PatternEvaluated) -> Iterator[Mark]:
    for group, models in event.right.items():
        for model, counted in models.items():
            match counted:  # a journal may hold anything
                case [int(right), int(answers)]:
                    yield from (Mark(group, model, number < right) for number in range(min(answers, MOST_MARKS)))


def _rated(events: Sequence[Event], group: str, *, good: bool) -> Iterator[Mark]:
    """A good answer was right for all who voted for it, and the others were wrong. Of a bad one, only those behind it are known to be wrong."""
    members = {(one.pattern, one.key): one for one in events if isinstance(one, MemberEnded)}
    votes = {(one.pattern, one.key): one.vote for one in events if isinstance(one, MemberVoted)}
    for ended in (one for one in events if isinstance(one, PatternEnded) and one.chosen):
        result = votes.get((ended.pattern, ended.chosen))
        for (pattern, key), vote in votes.items():
            if result is None or pattern != ended.pattern or vote is None:
                continue
            if good or vote == result:
                yield Mark(group, members[pattern, key].model, good and vote == result)
