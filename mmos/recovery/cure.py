"""Finds a cure for a failure, asks the user where that is needed, and records what was tried and whether it helped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mmos import phases
from mmos.answers import YES, verdict
from mmos.config.phases import DONE
from mmos.context import Question, UserQuestion
from mmos.errors import HostError, LimitReached, NoAnswer, NotFound, QuestionUnanswered, SchemaUnmet, ToolDenied, ToolError
from mmos.events import CallFinished, PhaseChanged
from mmos.messages import Message
from mmos.participant.cast import Member, models_of
from mmos.participant.loop import Participants
from mmos.prompting.templates import Templates
from mmos.recovery.classes import FailureClass
from mmos.recovery.suggestions import ROLLBACK, Case, Suggestion, digest_of, is_whole, read, tools_of
from mmos.recovery.telling import call_line, told
from mmos.recovery.words import question_id, words_of
from mmos.recovery_events import RecoveryBegun, RecoveryJudged, RecoverySuggested, RolledBack
from mmos.scope import Scope
from mmos.toolbox import Toolbox
from mmos.views.recoveries import Attempt

ADVICE_TURNS = 3
"""Turns of an adviser: one to suggest, one to choose again, and one to say that it knows nothing."""

MOST_DONE = 20
"""Calls that a participant reads about when they have left its prompt."""

FAULTS = (HostError, NoAnswer, SchemaUnmet, LimitReached, ToolError, NotFound)
"""Why an adviser may fail. The failure that it was asked about then stays as it is."""


@dataclass(frozen=True)
class Terms:
    """What a run may do about failures: the key `recovery`."""

    attempts: int = 2
    """Cures that are tried for one kind of failure of one exchange, or of one tool in it."""
    advisers: tuple[str, ...] = ()
    """Who is asked: the first of these roles that has not failed itself."""
    ask_before: frozenset[str] = frozenset()
    """Suggestions that the user must approve."""
    templates: Templates = field(default_factory=Templates)


@dataclass(frozen=True)
class Cure:
    """What recoveries of exchanges and of calls have in common."""

    terms: Terms
    room: Participants
    scope: Scope

    def begin(self, begun: RecoveryBegun) -> Attempt:
        scope = self.scope
        event = replace(begun, recovery=scope.view.recoveries.next_id, lane=scope.lane, role=scope.role, phase=scope.view.phase)
        self.scope.record(event)
        return self.scope.view.recoveries.attempts[event.recovery]

    def judge(self, attempt: Attempt, helped: bool, why: str = "") -> None:
        self.scope.record(RecoveryJudged(attempt.begun.recovery, self.scope.lane, helped, why))

    def may_try(self, failure: FailureClass, earlier: Sequence[Attempt]) -> bool:
        """Whether the budget allows another cure. When nobody had a suggestion, nobody is asked again."""
        same = [attempt for attempt in earlier if attempt.begun.failure == failure]
        return len(same) < self.terms.attempts and all(attempt.suggested is not None for attempt in same)

    def adviser(self, failed: Sequence[str], down: Collection[str] = ()) -> str:
        """Who is asked for advice. Empty: nobody can be asked. One that has failed is not asked about its own failure.

        `down`: hosts that have just been found unreachable. Who has no other is not asked: it would say the same, later.
        """
        scope, cast = self.scope, self.room.cast
        if scope.calls_left == 0 or scope.reached_limit is not None:
            return ""
        able = (name for name in self.terms.advisers if name in cast and name not in failed)
        return next((name for name in able if not down or _servers_of(cast[name]) - set(down)), "")

    async def advice(self, case: Case, member: Member, adviser: str) -> Suggestion | None:
        """What the adviser suggests, in a lane of its own that nobody remembers. None: nothing."""
        scope, templates = self.scope, self.terms.templates
        depth = min(scope.depth, scope.limits.depth - 1)
        place = scope.bind(depth=depth, limits=replace(scope.limits, turns=ADVICE_TURNS))
        message, tools = Message("user", told(case, member, templates)), tools_of(case, templates)
        if not tools:
            return None
        question = Question(adviser, message, "advice", named=True, memory="none", tools=tools, must_call=True)
        try:
            answer = await self.room.ask(place, question, call=case.begun.recovery)
        except FAULTS:
            return None
        return read(case, templates, answer.text, adviser)

    def take(self, attempt: Attempt, suggestion: Suggestion) -> None:
        digest = digest_of(attempt.begun, suggestion.name, suggestion.arguments)
        self.scope.record(
            RecoverySuggested(
                attempt.begun.recovery, self.scope.lane, self.scope.role, suggestion.name, suggestion.arguments, suggestion.by,
                suggestion.adviser, digest,
            )
        )  # fmt: skip

    async def permitted(self, attempt: Attempt) -> str:
        """Why the suggestion must not be carried out. Empty: it may be, or it has been."""
        suggested = attempt.suggested
        if suggested is None or not is_whole(suggested.suggestion, suggested.arguments, suggested.by):
            return "it has not all that it needs"
        if suggested.suggestion not in self.terms.ask_before or attempt.begun.recovery in self.scope.exchange.extents:
            return ""
        question = UserQuestion(_request(attempt, self.scope, self.room.box), "confirm", default="no")
        try:
            answer = await self.room.ask_user(self.scope, question, call=question_id(attempt))
        except (QuestionUnanswered, ToolError):
            return "the user could not be asked"
        return "" if answer.by == "user" and verdict(answer) == YES else "the user refused it"

    async def hear_user(self, attempt: Attempt) -> bool:
        """Ask the user the question of a suggestion. Whether there is an answer."""
        assert attempt.suggested is not None
        arguments = attempt.suggested.arguments
        options = tuple(map(str, arguments.get("options") or ()))
        question = UserQuestion(str(arguments["question"]), "choice" if options else "text", options)
        try:
            return bool(await self.room.ask_user(self.scope, question, call=question_id(attempt)))
        except (QuestionUnanswered, ToolError):
            return False

    def go_back(self, attempt: Attempt, turn: int, why: str) -> None:
        """Let the lane take a turn again, with the advice before it. It happens once, also when a crash or a pause follows."""
        scope, name = self.scope, attempt.begun.recovery
        if name not in scope.exchange.extents:
            done = self._done_after(turn)
            words = words_of(attempt, scope.view, self.terms.templates, done)
            scope.record(RolledBack(scope.lane, scope.role, turn, why, name, words, done))

    def _done_after(self, turn: int) -> tuple[str, ...]:
        """The newest calls with effects since a turn, one line each. Who does not see them may make them again."""
        started, ends = self.scope.view.started_calls, effects_after(self.scope, self.room.box, turn)
        return tuple(call_line(end.tool, started[end.call].arguments if end.call in started else {}) for end in ends[-MOST_DONE:])

    def warn_of_model(self, attempt: Attempt, role: str, own: str) -> None:
        """Say that another model answers, as when no host serves the first one: the user may have spelt it wrong."""
        model = attempt.suggested.arguments.get("model") if attempt.suggested else None
        if model and model != own:
            self.scope.warn_once(f"{role}: {model} answers in place of {own}", attempt.begun.detail)

    def change_phase(self, phase: str, reason: str) -> str:
        """Change the phase, unless the run is in it. Returns why that is not possible; empty: it is done."""
        if self.scope.view.phase == phase:
            return ""
        try:
            phases.change(self.scope, phase, reason, self.terms.templates, "recovery")
        except ToolDenied as error:
            return error.message
        return ""

    def restore_phase(self, attempt: Attempt) -> None:
        """Go back to the phase of the failure. It need not be one that may follow."""
        scope, before = self.scope, attempt.begun.phase
        if scope.view.phase != before:
            scope.record(PhaseChanged(before, "The change did not help.", "recovery", scope.view.phase, scope.lane, scope.role))

    def other_models(self, member: Member) -> tuple[str, ...]:
        return tuple(models_of(self.room.cast) | {member.role.model: member.role})

    def reachable_phases(self) -> tuple[str, ...]:
        """The phases that may follow. Only the role that answers the user is at work in them; the others work for it."""
        scope = self.scope
        return () if scope.depth else tuple(phase for phase in scope.phases.after(scope.view.phase) if phase != DONE)

    @property
    def can_ask(self) -> bool:
        return self.room.desk.reachable

    @property
    def barred(self) -> frozenset[str]:
        """Suggestions that need an approval that nobody can give."""
        return frozenset() if self.can_ask else self.terms.ask_before


def _servers_of(member: Member) -> set[str]:
    return {server for choice in member.choices for server in choice.role.servers}


def _request(attempt: Attempt, scope: Scope, box: Toolbox) -> str:
    """The question to the user whether a suggestion may be carried out."""
    begun, suggested = attempt.begun, attempt.suggested
    assert suggested is not None
    arguments = ", ".join(f"{name}={value!r}" for name, value in suggested.arguments.items())
    what = f"the call of {begun.tool} by {begun.role}" if begun.call else f"the exchange of {begun.role}"
    lines = [f"{what[0].upper()}{what[1:]} failed: {begun.detail}", f"{suggested.adviser} suggests: {suggested.suggestion}({arguments})."]
    turn = suggested.arguments.get("to")
    if suggested.suggestion == ROLLBACK and isinstance(turn, int) and (done := effects_after(scope, box, turn)):
        lines.append(f"These calls came after turn {turn} began. Going back does not undo them: {', '.join(end.tool for end in done)}.")
    return "\n".join([*lines, "Should MMOS do that?"])


def effects_after(scope: Scope, box: Toolbox, turn: int) -> list[CallFinished]:
    """The calls with effects since a turn of the lane."""
    lane = scope.exchange
    return _effects(scope, box, _calls(lane.messages[lane.marks.get(turn, len(lane.messages)) :]))


def effects_since(scope: Scope, box: Toolbox, recovery: str) -> list[CallFinished]:
    """The calls with effects since a recovery changed what is in the prompts of the lane."""
    lane = scope.exchange
    return _effects(scope, box, _calls(lane.messages) - _calls(lane.extents[recovery].messages))


def _calls(messages: Iterable[Message]) -> set[str]:
    return {call.id for message in messages for call in message.calls}


def _effects(scope: Scope, box: Toolbox, calls: Collection[str]) -> list[CallFinished]:
    """Those of these calls that had effects, also the ones of participants that were asked by them."""
    below = tuple(f"{scope.lane}/{call}/" for call in calls)
    ends = [end for end in scope.view.finished_calls.values() if end.ok and (end.call in calls or end.lane.startswith(below))]
    return [end for end in ends if (tool := box.get(end.tool)) is None or tool.effects]


def note(attempts: Sequence[Attempt], code: str) -> str:
    """A sentence on what was tried in vain. Empty: nothing was."""
    names = [
        attempt.suggested.suggestion
        for attempt in attempts
        if attempt.suggested is not None and not (attempt.judged and attempt.judged.helped)
    ]
    return f"Recovery from {code} tried {', '.join(names)}. That did not help." if names else ""
