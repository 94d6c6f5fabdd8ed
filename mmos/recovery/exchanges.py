"""Recovers an exchange that is about to end without an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mmos.context import Answer, Question
from mmos.errors import HostError, LimitReached, MmosError, NoAnswer, SchemaUnmet
from mmos.fences import fenced
from mmos.messages import Message
from mmos.participant.cast import Member
from mmos.participant.loop import OWN_LIMITS, Exchange, NextExchange
from mmos.prompting.digest import digest
from mmos.recovery.classes import class_of, code_of, is_curable, revived, unreachable
from mmos.recovery.cure import FAULTS, Cure, effects_since, note
from mmos.recovery.rules import RESTATE, SHORTEN, by_rules, long_results
from mmos.recovery.suggestions import APPROACH, ASK_USER, PHASE, ROLLBACK, Case, Suggestion, digest_of
from mmos.recovery_events import AnswerRestated, RecoveryBegun, ResultsShortened, RolledBack
from mmos.tools.reinterpret import reinterpretation
from mmos.views.recoveries import OTHER_MODEL, RETRY, Attempt

CURABLE = (HostError, NoAnswer, SchemaUnmet, LimitReached)


@dataclass(frozen=True)
class OfExchange(Cure):
    """The recovery of one exchange."""

    exchange: Exchange
    go_on: NextExchange

    async def run(self) -> Answer:
        """The answer, perhaps of a later try. If nothing helps, the error that the exchange would have had anyway."""
        error = self._unfinished()
        first = None if error is None else self._first()
        while True:
            if error is None:
                try:
                    answer = await self.go_on(self._changed())
                except CURABLE as fault:
                    error = fault
                else:
                    self._judge_all(helped=True)
                    return answer
                self._judge_all(helped=False, why=error.message)
            first = first or error
            attempt = self._open() or self._begin(error)
            if attempt is None:
                final = error if error.by_user else first
                if text := note(self.scope.view.recoveries.of_exchange(self.scope.lane), code_of(final)):
                    self.scope.warn(f"{self.scope.role}: {text}")
                raise final
            if await self._carry_out(attempt):
                error = None

    def _changed(self) -> Exchange:
        """The exchange with the member as it is now."""
        member = self.member
        return self.exchange if member is self.exchange.member else replace(self.exchange, member=member)

    @property
    def member(self) -> Member:
        """The member as the newest retry changes it."""
        changes = self.scope.view.recoveries.changes_of_exchange(self.scope.lane)
        return self.room.changed(self.exchange.member, changes)

    # ---------------------------------------------------------------- what is tried

    def _open(self) -> Attempt | None:
        return next((attempt for attempt in self.scope.view.recoveries.of_exchange(self.scope.lane) if attempt.is_open), None)

    def _unfinished(self) -> MmosError | None:
        """The error that a recovery was about when a crash or a pause cut it off."""
        attempt = self._open()
        return None if attempt is None else _error_of(attempt)

    def _first(self) -> MmosError | None:
        """The error with which the exchange would have ended, when a crash or a pause came after it."""
        return next((_error_of(attempt) for attempt in self.scope.view.recoveries.of_exchange(self.scope.lane)), None)

    def _begin(self, error: MmosError) -> Attempt | None:
        """A new recovery. None: there is nothing left to try."""
        failure, earlier = class_of(error), self.scope.view.recoveries.of_exchange(self.scope.lane)
        if not is_curable(error) or not self.may_try(failure, earlier):
            return None
        begun = RecoveryBegun("", failure=failure, code=code_of(error), detail=error.message, next_step=error.next_step)
        if self._by_rules(replace(begun, lane=self.scope.lane)) is None and not self._adviser(begun, unreachable(error)):
            return None
        return self.begin(begun)

    def _by_rules(self, begun: RecoveryBegun) -> Suggestion | None:
        """The first cure of the rules that has not been tried."""
        for suggestion in by_rules(begun.failure, self.member, self.scope.exchange):
            is_tried = self.scope.view.recoveries.refused(digest_of(begun, suggestion.name, suggestion.arguments))
            if not is_tried and (suggestion.name != RESTATE or (self.exchange.shape and self.adviser([self.scope.role]))):
                return suggestion
        return None

    def _adviser(self, begun: RecoveryBegun, down: Collection[str] = ()) -> str:
        """Who is asked. The caller of a specialist reads its failure and decides, unless the failure would end the run."""
        code = begun.code
        ends_run = not self.scope.depth or (begun.failure == "loop" and code not in OWN_LIMITS)
        return self.adviser([self.scope.role], down) if ends_run else ""

    async def _suggestion(self, attempt: Attempt) -> Suggestion | None:
        if (suggestion := self._by_rules(attempt.begun)) is not None:
            return suggestion
        adviser = self._adviser(attempt.begun)
        return await self.advice(self._case(attempt), self.member, adviser) if adviser else None

    def _case(self, attempt: Attempt) -> Case:
        models, turns = self.other_models(self.member), tuple(sorted(self.scope.exchange.marks))
        return Case(attempt.begun, self.scope, models, turns, self.reachable_phases(), self.can_ask, barred=self.barred)

    # ---------------------------------------------------------------- carrying it out

    async def _carry_out(self, attempt: Attempt) -> bool:
        """Whether the exchange can go on. Each part is done once, also when a crash or a pause comes between."""
        if attempt.begun.recovery in self.scope.exchange.extents:
            return True  # carried out before a crash or a pause, and the run may be further by now
        if attempt.suggested is None:
            suggestion = await self._suggestion(attempt)
            if suggestion is None:
                self.judge(attempt, False, "nobody suggested anything")
                return False
            self.take(attempt, suggestion)
        why = await self.permitted(attempt)
        why = why or await self._effect(attempt)
        if why:
            self.judge(attempt, False, why)
        return not why

    async def _effect(self, attempt: Attempt) -> str:
        """Do what was suggested. Returns why that is not possible; empty: it is done."""
        assert attempt.suggested is not None
        name, arguments = attempt.suggested.suggestion, attempt.suggested.arguments
        effect = _EFFECTS.get(name)
        return "nobody knows this cure" if effect is None else await effect(self, attempt, arguments)

    def _go_back(self, attempt: Attempt, turn: int, reason: str) -> str:
        """Take a turn again, with the advice before it."""
        self.go_back(attempt, turn, reason)
        return ""

    async def _go_on(self, attempt: Attempt, arguments: Mapping[str, Any]) -> str:
        """Without what went wrong, perhaps with another model."""
        self.warn_of_model(attempt, self.scope.role, self.exchange.member.role.model)
        return self._go_back(attempt, self.scope.exchange.safe_turn, str(arguments.get("reason", "")))

    async def _roll_back(self, attempt: Attempt, arguments: Mapping[str, Any]) -> str:
        return self._go_back(attempt, arguments["to"], str(arguments.get("reason", "")))

    async def _ask(self, attempt: Attempt, arguments: Mapping[str, Any]) -> str:
        return await self._go_on(attempt, arguments) if await self.hear_user(attempt) else "nobody answered"

    async def _change_phase(self, attempt: Attempt, arguments: Mapping[str, Any]) -> str:
        why = self.change_phase(str(arguments["phase"]), str(arguments.get("reason", "")))
        return why or await self._go_on(attempt, arguments)

    async def _shorten(self, attempt: Attempt, _arguments: Mapping[str, Any]) -> str:
        """Keep the long results of tools as artifacts. The lane gets their digests and references."""
        scope, long = self.scope, set(long_results(self.scope.exchange))
        texts = {message.call_id: message.content for message in scope.exchange.messages if message.call_id in long}
        short = {call: self._digest(scope.keep("", text), text) for call, text in texts.items()}
        if short:
            scope.record(ResultsShortened(scope.lane, scope.role, short, attempt.begun.recovery))
        return ""

    def _digest(self, reference: str, text: str) -> str:
        length, short = f"{len(text):,}", fenced(digest(text))
        return self.terms.templates.fill("long_result", length=length, artifact=reference, digest=short)

    async def _restate(self, attempt: Attempt, _arguments: Mapping[str, Any]) -> str:
        """Let the adviser put the answer into the form of the schema."""
        scope, shape = self.scope, self.exchange.shape
        original = scope.exchange.newest_text()
        message = reinterpretation(self.terms.templates, scope.view.divisions.told(scope.view).content, original, attempt.begun.detail)
        adviser = self.adviser([scope.role])
        question = Question(adviser, message, "restated", named=True, memory="none", tools=(), shape=shape)
        try:
            answer = await self.room.ask(scope.bind(depth=0), question, call=attempt.begun.recovery)
        except FAULTS as error:
            return error.message
        if scope.exchange.last.content != answer.text:  # a crash may have come after it
            scope.record(AnswerRestated(scope.lane, Message("assistant", answer.text), scope.role, attempt.begun.recovery))
        return ""

    # ---------------------------------------------------------------- the judgement

    def _judge_all(self, *, helped: bool, why: str = "") -> None:
        """Judge what was tried in this lane. What did not help is undone."""
        if not self.scope.view.recoveries.attempts:
            return
        for attempt in [one for one in self.scope.view.recoveries if one.begun.lane == self.scope.lane and one.is_open]:
            self.judge(attempt, helped, why)
            if not helped:
                self._undo(attempt)

    def _undo(self, attempt: Attempt) -> None:
        """Take a cure back. If calls with effects came of it, they stay in the prompt: who does not see them may make them again."""
        scope, name = self.scope, attempt.begun.recovery
        if attempt.suggested is not None and attempt.suggested.suggestion == PHASE:
            self.restore_phase(attempt)
        if name in scope.exchange.extents and not attempt.begun.call and not effects_since(scope, self.room.box, name):
            scope.record(RolledBack(scope.lane, scope.role, scope.exchange.turns, "It did not help.", name, undone=True))


def _error_of(attempt: Attempt) -> MmosError:
    return revived(attempt.begun.code, attempt.begun.detail, attempt.begun.next_step)


Effect = Callable[[OfExchange, Attempt, Mapping[str, Any]], Awaitable[str]]

_EFFECTS: Mapping[str, Effect] = {
    RETRY: OfExchange._go_on,
    OTHER_MODEL: OfExchange._go_on,
    APPROACH: OfExchange._go_on,
    ROLLBACK: OfExchange._roll_back,
    ASK_USER: OfExchange._ask,
    PHASE: OfExchange._change_phase,
    SHORTEN: OfExchange._shorten,
    RESTATE: OfExchange._restate,
}
