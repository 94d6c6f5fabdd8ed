"""Words what the adviser reads of a failure: what was done in the lane, and the state of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from mmos.fences import one_line
from mmos.messages import Message
from mmos.participant.cast import Member
from mmos.prompting.digest import digest
from mmos.prompting.templates import Templates
from mmos.recovery.suggestions import PHASE, ROLLBACK, Case
from mmos.scope import Scope
from mmos.views.conversation import Lane
from mmos.views.recoveries import Attempt

TURNS = 8
"""How many of the newest turns the adviser reads."""
LONGEST_ERROR = 4_000
"""A longer error is read as a digest."""
SHOWN = 400
"""Characters of a text that it reads."""


def told(case: Case, member: Member, templates: Templates) -> str:
    """The message to the adviser."""
    begun, scope = case.begun, case.scope
    call = call_line(begun.tool, case.arguments) if begun.call else ""
    what = f"the call {call} of {begun.role}" if call else f"{begun.role}: its exchange ends without an answer"
    return templates.fill(
        "recovery", task=scope.view.divisions.told(scope.view).content, what=what, failure=begun.failure, code=begun.code, error=begun.detail if len(begun.detail) <= LONGEST_ERROR else digest(begun.detail),
        actions="\n".join(actions(scope.exchange)) or templates.fill("none"), state="\n".join(_state(case, member)),
    )  # fmt: skip


def actions(lane: Lane) -> Iterator[str]:
    """One line for each of the newest turns: what was called, and what came of it."""
    places = sorted(lane.marks.items())[-TURNS:]
    ends = [*(place for _, place in places[1:]), len(lane.messages)]
    for (turn, place), end in zip(places, ends, strict=False):
        yield f"turn {turn}: {'; '.join(_deeds(lane.messages[place:end]))}"


def _deeds(messages: Sequence[Message]) -> Iterator[str]:
    results = {message.call_id: message.content for message in messages if message.role == "tool"}
    for message in messages:
        for call in message.calls:
            yield f"called {call_line(call.name, call.arguments)} → {_short(results.get(call.id, '(no result)'))}"
        if message.role == "assistant" and not message.calls:
            yield f"wrote {_short(message.content)!r}"
        if message.role == "user":
            yield f"was told {_short(message.content)!r}"


def _state(case: Case, member: Member) -> Iterator[str]:
    scope, role = case.scope, member.role
    yield f"- {role.name} answers with {role.model}, in a window of {role.window} tokens"
    yield f"- turns of {role.name}: {scope.exchange.turns} taken, {_left(scope.turns_left)} left; tool calls of the run: {_left(scope.calls_left)} left"
    if scope.view.phase:
        yield f"- phase of the run: {scope.view.phase}"
    if case.models:
        yield f"- models that may answer: {', '.join(case.models)}"
    if case.turns and ROLLBACK not in case.barred:
        yield f"- turns to which it can go back: {', '.join(map(str, case.turns))}"
    if case.phases and PHASE not in case.barred:
        yield f"- phases to which the run can change: {', '.join(case.phases)}"
    yield from (f"- tried before: {line}" for line in tried(scope))


def tried(scope: Scope) -> Iterator[str]:
    """What this run has tried against failures, with what came of it."""
    for attempt in scope.view.recoveries:
        if attempt.suggested is not None:
            yield f"{spelled(attempt)} against {attempt.begun.failure}: {_outcome(attempt)}"


def _outcome(attempt: Attempt) -> str:
    if attempt.judged is None:
        return "not known yet"
    return "it helped" if attempt.judged.helped else f"it did not help{f' ({_short(attempt.judged.why)})' if attempt.judged.why else ''}"


def spelled(attempt: Attempt) -> str:
    return call_line(attempt.suggested.suggestion, attempt.suggested.arguments) if attempt.suggested else ""


def call_line(name: str, arguments: object) -> str:
    return f"{name} {_short(orjson.dumps(arguments).decode())}"


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _left(number: int | None) -> str:
    return "any number" if number is None else str(number)
