"""Words for patterns: lines of progress, lines of a record, and why a member was asked."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.cli.output import how_long, one_line
from mmos.cli.text import flat
from mmos.event import Event
from mmos.pattern_events import (
    ConflictFound,
    MemberEnded,
    MemberVoted,
    PatternAdvised,
    PatternAnswered,
    PatternBegun,
    PatternEnded,
    StepRolledBack,
)
from mmos.plurals import counted
from mmos.views.patterns import PATTERN

WIDTH = 110
VOTE = 40
"""Characters of a vote in a line of progress."""


def begins(event: PatternBegun) -> str:
    """The first line of progress. Users and scripts look for these words."""
    return f"Running {event.shape} pattern with {counted(len(event.members), 'model')}..."


def seen(event: Event) -> str:
    """What an event of a pattern says to somebody who watches the run. Empty: nothing."""
    match event:
        case PatternBegun():
            return begins(event)
        case MemberEnded(status=status):
            return f"  {'✓' if status in ('answered', 'abstained') else '✗'} {member(event)}"
        case MemberVoted():
            return f"    {vote(event)}"
        case StepRolledBack():
            return f"  ! {undone(event)}"
        case ConflictFound():
            return f"  ! {conflict(event)}"
        case PatternEnded():
            return f"  {summary(event)}"
    return ""


def record(event: Event) -> str:
    """What a record of the run says of an event. Empty: it is of no pattern."""
    match event:
        case PatternBegun(name=name, models=models):
            how = ", ".join(filter(None, (event.shape, event.aggregate, event.voting and f"voting {event.voting}")))
            return f"pattern {name or 'of the command line'} ({how}) begins with {', '.join(models)}"
        case MemberEnded():
            return f"member {member(event)}"
        case MemberVoted():
            return vote(event)
        case StepRolledBack():
            return undone(event)
        case ConflictFound():
            return conflict(event)
        case PatternEnded():
            return f"pattern ended, {summary(event)}"
        case PatternAnswered(role=role):
            return f"the result of the pattern is the answer of {role}"
        case PatternAdvised(role=role, text=text):
            return f"{role} gets the advice of the members: {one_line(text, WIDTH)}"
    return ""


def details(event: Event) -> Iterator[str]:
    """What a record adds to the end of a pattern: who says something different."""
    if isinstance(event, PatternEnded):
        yield from (f"dissent of {flat(name)}: {one_line(text, WIDTH)}" for name, text in event.dissent.items())


def member(event: MemberEnded) -> str:
    """A member at its end: who, where, how long, and what came of it."""
    place = f"{event.model} on {event.host}" if event.host else event.model
    name = place if event.name == event.model else f"{event.name} ({place})"
    tokens = counted(event.output_tokens, "token") if event.output_tokens else ""
    task = one_line(event.task, VOTE)
    parts = [name, task, event.status, how_long(event.seconds), tokens]
    return " · ".join(filter(None, parts)) + (f": {one_line(event.why, WIDTH)}" if event.why else "")


def vote(event: MemberVoted) -> str:
    """What a member stands for, and how its answer was scored."""
    stands = f"{event.key} votes {one_line(event.vote, VOTE)}" if event.vote else f"{event.key} has no vote"
    if event.vote is None and event.score is not None:
        stands = f"{event.key} is scored"
    score = f" · score {event.score:.2f}" if event.score is not None else ""
    return f"{stands}{score}{f': {one_line(event.why, WIDTH)}' if event.why else ''}"


def undone(event: StepRolledBack) -> str:
    back = f"the result of {event.to} counts" if event.to else "the task goes on as it was"
    return f"{event.key} made it worse, so {back}{f': {one_line(event.why, WIDTH)}' if event.why else ''}"


def conflict(event: ConflictFound) -> str:
    end = f"{one_line(event.resolved, VOTE)} counts" if event.resolved else "it is left open"
    return f"{' and '.join(event.between)} contradict each other about {one_line(event.about, WIDTH)}; {end}"


def summary(event: PatternEnded) -> str:
    """How a pattern ended: what was taken, how far the members agree, and who does not."""
    chosen = f"the answer of {event.chosen} was taken" if event.chosen else ""
    agree = f"agreement {event.agreement:.2f}" if event.agreement is not None else ""
    dissent = f"{', '.join(event.dissent)} {'says' if len(event.dissent) == 1 else 'say'} something different" if event.dissent else ""
    parts = [event.status, chosen, agree, dissent, how_long(event.seconds)]
    return " · ".join(filter(None, parts)) + (f": {one_line(event.why, WIDTH)}" if event.why else "")


def cause(lane: str) -> str:
    """Why somebody was asked in a lane of a pattern that stands for a model. Empty: it is another lane."""
    above, _, key = lane.rpartition("/")
    return f"as {key} of a pattern" if above.endswith(f"/{PATTERN}") else ""
