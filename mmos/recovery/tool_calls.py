"""Recovers a tool call that fails again in the same way, after its caller has read of the first failure."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from mmos.errors import ToolError
from mmos.events import CallRepaired
from mmos.executor import Execution, Next
from mmos.messages import ToolCall
from mmos.recovery.classes import class_of_code, is_curable
from mmos.recovery.cure import Cure
from mmos.recovery.suggestions import ASK_USER, PHASE, ROLLBACK, Case
from mmos.recovery.words import advised
from mmos.recovery_events import RecoveryBegun
from mmos.views.recoveries import RETRY, Attempt

TIMES = 2
"""The failure of this number steps in. The caller reads the ones before, and may find another way by itself."""


@dataclass(frozen=True)
class OfCall(Cure):
    """The recovery of one tool call."""

    execution: Execution
    go_on: Next

    async def run(self, error: ToolError | None = None) -> str:
        """The result of the call, perhaps of a retry. `error`: the call has been made, and failed."""
        error = error or self._unfinished()
        while True:
            if error is None:
                try:
                    return await self.go_on(self.execution)
                except ToolError as fault:
                    error = fault
            attempt = self._open() or self._begin(error)
            if attempt is None:
                raise error
            if not await self._is_suggested(attempt):
                continue
            assert attempt.suggested is not None
            if attempt.suggested.suggestion != RETRY:
                if await self._advise(attempt):
                    raise self._advised(error)
                continue
            try:
                text = await self._retry(attempt)
            except ToolError as fault:
                self.judge(attempt, False, fault.message)
                error = fault
            else:
                self.judge(attempt, True)
                return text

    def _advised(self, error: ToolError) -> ToolError:
        view = self.scope.view
        return advised(error, view.recoveries.of_call(self._call), view, self.terms.templates)

    # ---------------------------------------------------------------- what is tried

    @property
    def _call(self) -> str:
        return self.execution.call.id

    @property
    def _repairs(self) -> list[CallRepaired]:
        """What made another call of it, oldest first."""
        return [repair for repair in self.scope.view.repairs if repair.call == self._call and repair.tool]

    @property
    def _made(self) -> ToolCall:
        """The call as it failed before any recovery. The interpreter may have read another one in it."""
        read = [repair for repair in self._repairs if repair.stage != "recovery"]
        return ToolCall(self._call, read[-1].tool, read[-1].arguments) if read else self.execution.call

    def _open(self) -> Attempt | None:
        return next((attempt for attempt in self.scope.view.recoveries.of_call(self._call) if attempt.is_open), None)

    def _unfinished(self) -> ToolError | None:
        attempt = self._open()
        if attempt is None:
            return None
        begun = attempt.begun
        return ToolError(begun.detail, report=begun.report, code=begun.code, next_step=begun.next_step)

    def _begin(self, error: ToolError) -> Attempt | None:
        """A new recovery. None: it is not time for one, or nobody can be asked."""
        scope, tool, failure = self.scope, self.execution.call.name, class_of_code(error.code)
        ends = scope.view.finished_calls.values()
        failed = [end for end in ends if (end.lane, end.tool, end.ok) == (scope.lane, tool, False) and class_of_code(end.code) == failure]
        if not is_curable(error) or len(failed) + 1 < TIMES:
            return None
        earlier = [one for one in scope.view.recoveries if (one.begun.lane, one.begun.tool) == (scope.lane, tool)]
        for attempt in earlier:
            is_over = attempt.begun.call in scope.view.finished_calls  # another call of this turn may be at work on its own recovery
            if attempt.is_open and is_over and attempt.begun.failure == failure:
                self.judge(attempt, False, error.message)
        if not self.may_try(failure, earlier) or not self._adviser():
            return None
        return self.begin(
            RecoveryBegun(
                "", call=self._call, tool=tool, failure=failure, code=error.code, detail=error.message, next_step=error.next_step,
                report=error.report,
            )
        )  # fmt: skip

    def _adviser(self) -> str:
        """Who is asked: neither the caller nor whoever failed in the call."""
        asked = [opened.role for opened in self.scope.view.lanes.get(self._call, ())]
        return self.adviser([self.scope.role, *asked])

    def _case(self, attempt: Attempt) -> Case:
        made, asks_model = self._made, bool(self.scope.view.lanes.get(self._call))
        tool = self.execution.box.get(made.name)
        models = self.other_models(self.room.cast[self.scope.role]) if asks_model and self.scope.role in self.room.cast else ()
        turns = tuple(sorted(self.scope.exchange.marks))
        return Case(
            attempt.begun, self.scope, models, turns, self.reachable_phases(), self.can_ask, tool.spec if tool else None,
            made.arguments, asks_model or bool(tool and tool.timeout), self.barred,
        )  # fmt: skip

    async def _is_suggested(self, attempt: Attempt) -> bool:
        """Whether there is a suggestion that may be carried out."""
        if attempt.suggested is None:
            adviser, caller = self._adviser(), self.room.cast.get(self.scope.role)
            suggestion = await self.advice(self._case(attempt), caller, adviser) if adviser and caller else None
            if suggestion is None:
                self.judge(attempt, False, "nobody suggested anything")
                return False
            self.take(attempt, suggestion)
        if why := await self.permitted(attempt):
            self.judge(attempt, False, why)
        return not why

    # ---------------------------------------------------------------- carrying it out

    async def _retry(self, attempt: Attempt) -> str:
        """The same call with other arguments, or with another model for whoever it asks."""
        assert attempt.suggested is not None
        scope, call, case = self.scope, self._made, self._case(attempt)
        arguments = case.changed_arguments(attempt.suggested.arguments)
        if arguments != (self._repairs[-1].arguments if self._repairs else call.arguments):
            what = f"{attempt.suggested.adviser} suggests {call.name} {orjson.dumps(arguments).decode()[:200]}"
            scope.record(CallRepaired(call.id, scope.lane, "recovery", what, call.name, arguments))
        for asked in scope.view.lanes.get(call.id, ())[-1:]:
            if asked.role in self.room.cast:
                self.warn_of_model(attempt, asked.role, self.room.cast[asked.role].role.model)
        return await self.go_on(self.execution)

    async def _advise(self, attempt: Attempt) -> bool:
        """Whether the caller can go on with the advice."""
        assert attempt.suggested is not None
        name, arguments = attempt.suggested.suggestion, attempt.suggested.arguments
        if name == ASK_USER and not await self.hear_user(attempt):
            self.judge(attempt, False, "nobody answered")
            return False
        if name == PHASE and (why := self.change_phase(str(arguments["phase"]), str(arguments.get("reason", "")))):
            self.judge(attempt, False, why)
            return False
        if name == ROLLBACK:
            self.go_back(attempt, arguments["to"], str(arguments.get("reason", "")))  # the result of this call is then in no prompt
        return True
