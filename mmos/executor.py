"""Runs one call: find, check, mind loops, time, catch, write down; whatever happens, the caller reads a message it can act on."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Collection
from dataclasses import dataclass

from mmos.errors import (
    InvalidArguments,
    LimitReached,
    MmosError,
    QuestionOpen,
    QuestionUnanswered,
    StateError,
    ToolDenied,
    ToolError,
    ToolFailed,
    ToolTimeout,
    ToolUnknownOutcome,
    UnknownTool,
)
from mmos.events import CallFinished, CallStarted, LoopNoticed
from mmos.messages import Message, ToolCall
from mmos.scope import Scope
from mmos.toolbox import Context, Room, Tool, Toolbox, UserQuestion, render
from mmos.views.run import canonical

PASS_ON = (LimitReached, QuestionOpen, QuestionUnanswered, StateError)
"""Faults that no model can mend: they end or pause the run."""

SHOWN = 400
"""How much of an earlier result a nudge repeats."""


@dataclass(frozen=True)
class Execution:
    """One call on its way through the rungs."""

    call: ToolCall
    offered: Toolbox
    """What the caller was offered this turn."""
    known: Collection[str]
    """Every tool of the house, to tell a forbidden one from an invented one."""
    scope: Scope
    room: Room

    async def run(self) -> CallFinished:
        """The outermost rung: count it, carry it out, write down how it ended."""
        scope, call = self.scope, self.call
        begun = scope.clock()
        cut_off = call.id in scope.view.started_calls
        if not cut_off:
            scope.check_call()
        earlier = scope.view.repeats[canonical(scope.role, call.name, call.arguments)] - cut_off
        if not cut_off:
            scope.record(CallStarted(call.id, scope.lane, scope.role, call.name, call.arguments))
        ok, code = True, ""
        try:
            text = await self._caught(cut_off, earlier)
        except ToolError as error:
            ok, code, text = False, error.code, error.report or f"Error: {error}"
        message = Message("tool", text, tool_name=call.name, call_id=call.id)
        finished = CallFinished(call.id, scope.lane, scope.role, call.name, ok, message, round(scope.clock() - begun, 6), code)
        scope.record(finished)
        return finished

    async def _caught(self, cut_off: bool, earlier: int) -> str:
        """Every fault of a tool becomes one that the model can read; what ends the run passes."""
        try:
            tool = self._found()
            self._checked(tool)
            if cut_off and tool.effects:
                return await self._after_crash(tool)
            return await self._guarded(tool, earlier)
        except (ToolError, *PASS_ON):
            raise
        except MmosError as error:
            raise ToolError(str(error), code=error.code) from error
        except Exception as error:  # the one broad catch of the house: a tool may raise anything
            raise ToolFailed(f"{self.call.name} failed: {type(error).__name__}: {error}") from error

    def _found(self) -> Tool:
        name = self.call.name
        tool = self.offered.get(name)
        if tool is not None:
            return tool
        existing = ", ".join(self.offered.names) or "none"
        if name in self.known:
            raise ToolDenied(f"{self.scope.role} may not use {name} now. Tools you have: {existing}.")
        near = difflib.get_close_matches(name, self.offered.names, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise UnknownTool(f"There is no tool named {name!r}.{guess} Tools you have: {existing}.")

    def _checked(self, tool: Tool) -> None:
        problems = tool.spec.problems(self.call.arguments)
        if problems:
            expected = ", ".join(tool.spec.parameters.get("properties", {})) or "none"
            raise InvalidArguments(f"The arguments of {tool.name} do not fit: {'; '.join(problems)}. Arguments it takes: {expected}.")

    async def _after_crash(self, tool: Tool) -> str:
        """The call was begun by a process that died: never done twice without somebody saying so."""
        if callable(tool.after_crash):
            found = tool.after_crash(self.call.arguments)
            return render(await found if asyncio.iscoroutine(found) else found)
        said = await self.room.ask_user(
            self.scope,
            UserQuestion(
                f"A crash cut off the call {self._spelled()}. Did it take effect? Shall it be done again?", "choice", ("repeat", "skip")
            ),
            call=self.call.id,
        )
        if said == "repeat":
            return await self._timed(tool)
        raise ToolUnknownOutcome(f"A crash cut this call off; nobody knows whether it took effect. The user says: {said}.")

    async def _guarded(self, tool: Tool, earlier: int) -> str:
        """The same call over and over: first a nudge, then the tool is withheld for a turn, then the user decides."""
        over = earlier - self.scope.limits.repeats
        if over < 0 or tool.repeatable:
            return await self._timed(tool)
        measure = ("nudge", "withhold", "ask")[min(over, 2)]
        self.scope.record(LoopNoticed(self.scope.lane, self.scope.role, tool.name, earlier + 1, measure))  # type: ignore[arg-type]
        if measure == "ask":
            return await self._user_decides(tool, earlier)
        raise ToolDenied(
            f"You have made this very call {earlier} times; it is not made again. Its last result was: {self._last_result()} "
            "Use that, call something else, or answer with what you have."
        )

    async def _user_decides(self, tool: Tool, earlier: int) -> str:
        text = f"{self.scope.role} keeps calling {self._spelled()}, {earlier + 1} times by now. Shall it go on?"
        try:
            said = await self.room.ask_user(self.scope, UserQuestion(text, "choice", ("stop", "go on"), "stop"), call=self.call.id)
        except QuestionUnanswered:
            said = "stop"
        if said == "go on":
            return await self._timed(tool)
        if said == "stop":
            raise LimitReached(
                f"{self.scope.role} kept calling {tool.name} with the same arguments.", limit="loop", next_step="See `mmos runs show`."
            )
        return f"The user says: {said}"

    async def _timed(self, tool: Tool) -> str:
        if tool.effects:
            await self.scope.durable()
        context = Context(self.scope, self.room, self.call.id)
        try:
            async with asyncio.timeout(tool.timeout) as limit:
                return render(await tool.run(context, self.call.arguments))
        except TimeoutError as error:
            if not limit.expired():
                raise ToolFailed(f"{tool.name} failed: TimeoutError: {error}") from error
            raise ToolTimeout(f"{tool.name} did not finish within {tool.timeout:g} s and was stopped.") from error

    def _spelled(self) -> str:
        return f"{self.call.name}({', '.join(f'{name}={value!r}' for name, value in self.call.arguments.items())})"[:SHOWN]

    def _last_result(self) -> str:
        key = canonical(self.scope.role, self.call.name, self.call.arguments)
        for finished in reversed(self.scope.view.finished_calls.values()):
            begun = self.scope.view.started_calls[finished.call]
            if finished.ok and canonical(begun.role, begun.tool, begun.arguments) == key:
                return finished.message.content[:SHOWN]
        return "none."
