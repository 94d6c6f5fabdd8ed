"""Runs one tool call. `RUNGS` lists what surrounds it: faults, loops, arguments, consent, crashes, time."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import reduce
from typing import Protocol

from mmos.calls.coerce import coerce
from mmos.calls.seen import Seen
from mmos.context import PASS_ON, Context, Room, UserQuestion, called
from mmos.errors import (
    InvalidArguments,
    LimitReached,
    MmosError,
    QuestionUnanswered,
    ToolDenied,
    ToolError,
    ToolFailed,
    ToolTimeout,
    ToolUnknownOutcome,
    UnknownTool,
)
from mmos.events import CallFinished, CallRepaired, CallStarted, LoopNoticed
from mmos.fences import apart, fenced, poses
from mmos.messages import Message, ToolCall, clean
from mmos.plurals import counted
from mmos.prompting.digest import digest
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Tool, Toolbox, render
from mmos.views.run import canonical

LONGEST_RESULT = 50_000
"""A tool result up to this many characters goes to the model whole."""

SHOWN = 400
"""How many characters of an earlier result a nudge repeats."""


class House(Room, Protocol):
    """What the executor itself can reach."""

    @property
    def templates(self) -> Templates:
        """The texts that the caller reads."""
        ...

    async def clarify(self, scope: Scope, call: ToolCall, offered: Toolbox, fault: str) -> ToolCall | None:
        """The call that was meant by one that could not run. None: MMOS cannot find out."""
        ...


Next = Callable[["Execution"], Awaitable[str]]
Rung = Callable[["Execution", Next], Awaitable[str]]


@dataclass(frozen=True)
class Execution:
    """One tool call while it runs."""

    call: ToolCall
    offered: Toolbox
    """The tools that the caller has this turn."""
    known: Container[str]
    """Every tool of the app, to tell a forbidden tool from an invented one."""
    scope: Scope
    room: House
    tool: Tool | None = None
    """The tool, once it is found."""
    written: ToolCall | None = None
    """The call as the model wrote it, once it may have changed."""

    async def run(self) -> CallFinished:
        """Count the call, run it, and record how it ended."""
        scope, call = self.scope, self.call
        begun = scope.clock()
        if call.id not in scope.view.started_calls:  # a call that resumes after a question or a crash is not counted again
            scope.check_call()
            scope.record(CallStarted(call.id, scope.lane, scope.role, call.name, call.arguments))
        ok, code = True, ""
        try:
            text = await CLIMB(self)
        except ToolError as error:
            ok, code, text = False, error.code, error.report or self._words.fill("error", message=str(error))
        message = Message("tool", clean(text), tool_name=call.name, call_id=call.id)
        finished = CallFinished(call.id, scope.lane, scope.role, call.name, ok, message, round(scope.clock() - begun, 6), code)
        scope.record(finished)
        if (tool := self.offered.get(call.name)) is None or tool.effects:
            await scope.durable()  # the next step builds on it
        return finished

    @property
    def _words(self) -> Templates:
        return self.room.templates

    @property
    def chosen(self) -> Tool:
        return self.tool or self._found()

    # ---------------------------------------------------------------- the rungs

    async def caught(self, go_on: Next) -> str:
        """Turn every fault of a tool into an error that the model can read. Errors that end the run pass."""
        try:
            return await go_on(self)
        except asyncio.CancelledError:
            if _cancelled_from_outside():
                raise
            raise self._failed(self._words.fill("cancelled_tool")) from None
        except (ToolError, *PASS_ON):
            raise
        except MmosError as error:
            raise ToolError(apart(str(error)), code=error.code) from error
        except SystemExit as error:
            raise self._failed(self._words.fill("exited_tool", error=_told(error))) from error
        except Exception as error:  # the only broad catch in MMOS: a tool may raise anything
            leaves = list(_leaves(error))
            for leaf in leaves:
                if isinstance(leaf, PASS_ON):
                    raise leaf from None
            raise self._failed("; ".join(map(_told, leaves))) from error

    async def unlooped(self, go_on: Next) -> str:
        """Do not make the same call again and again. Repeatable tools and calls that a crash cut off are no loop."""
        tool, earlier = self.offered.get(self.call.name), self._earlier()
        withheld = tool is None and self.call.name in self.known
        free = self.call.id in self.scope.view.interruptions or withheld or (tool is not None and tool.repeatable)
        if earlier >= self.scope.limits.repeats and not free and (said := await self._looping(earlier)):
            return said
        return await go_on(self)

    async def settled(self, go_on: Next) -> str:
        """Find the tool and fit the arguments: as they came, coerced to the schema, or clarified once. The caller is told of another call."""
        repairs = [repair for repair in self.scope.view.repairs if repair.call == self.call.id and repair.tool]
        clear = ToolCall(self.call.id, repairs[-1].tool, repairs[-1].arguments) if repairs else None  # clarified before a pause
        try:
            fit = self if clear else self._fitted()
        except (UnknownTool, InvalidArguments) as error:
            clear = await self.room.clarify(self.scope, self.call, self.offered, error.message)
            if clear is None:
                raise
        if clear is None:
            return await go_on(fit)
        mended = replace(self, call=replace(clear, id=self.call.id), written=self.call)
        note = self._words.fill("other_call", call=mended._spelled())
        return f"{note}\n{await go_on(mended._fitted())}"

    async def vouched(self, go_on: Next) -> str:
        """Ask the user about a call that is also in a text that the caller read: the author of that text may want it, not the model."""
        if not self.chosen.effects or not self._copied():
            return await go_on(self)
        call, role = self.call, self.scope.role
        text = f"{role} wants to call {self._spelled()}. The same call is in a text that the model read. Should MMOS make it?"
        try:
            said = await self.room.ask_user(self.scope, UserQuestion(text, "choice", ("no", "yes"), "no"), call=call.id)
        except QuestionUnanswered:
            self.scope.warn(
                f"{role} copied a call of {call.name} from a text that it read. MMOS could not ask the user, so it did not make the call."
            )
            said = self._words.fill("user_not_asked")
        if said.strip().lower() != "yes":
            raise ToolDenied(self._words.fill("copied_call", answer=said))
        return await go_on(self)

    async def recovered(self, go_on: Next) -> str:
        """A call that started and never ended is repeated only when the tool or the user says so."""
        tool = self.chosen
        if not tool.effects or self.call.id not in self.scope.view.interruptions:
            return await go_on(self)
        if callable(tool.after_crash):
            return render(await called(tool.after_crash, self.call.arguments))
        times = self.scope.view.interruptions[self.call.id]
        what = f"A crash or a stop cut off the call {self._spelled()}" + (f", {times} times by now" if times > 1 else "")
        question = UserQuestion(f"{what}. Did it take effect? Should MMOS repeat it?", "choice", ("repeat", "skip"))
        said = await self.room.ask_user(self.scope, question, call=self.call.id)
        if said == "repeat":
            return await go_on(self)
        raise ToolUnknownOutcome(self._words.fill("cut_off_call", answer=said))

    async def durable(self, go_on: Next) -> str:
        """Write a call to the journal before its effects."""
        if self.chosen.effects:
            await self.scope.durable()
        return await go_on(self)

    async def timed(self, go_on: Next) -> str:
        """Stop a tool that takes longer than its timeout."""
        tool = self.chosen
        own_patience = nullcontext() if tool.timeout is None else self.scope.pulse
        try:
            async with asyncio.timeout(tool.timeout) as limit:
                with own_patience:
                    return await go_on(self)
        except TimeoutError as error:
            if not limit.expired():
                raise self._failed(_told(error)) from error
            raise ToolTimeout(self._words.fill("late_tool", tool=tool.name, seconds=f"{tool.timeout:g}")) from error

    async def told_apart(self, go_on: Next) -> str:
        """Set apart what a tool says, so that it cannot pose as the user. A result that is too long for any window becomes a digest."""
        try:
            return self._handed_on(apart(await go_on(self)))
        except ToolError as error:
            if error.report or not poses(str(error)):
                raise
            raise ToolError(apart(str(error)), code=error.code) from error

    async def _done(self) -> str:
        """Run the tool itself. If the run pauses or ends, that counts, whatever the tool gives."""
        context = Context(self.scope, self.room, self.call.id)
        try:
            return render(await self.chosen.run(context, self.call.arguments))
        finally:
            if context.halted and not isinstance(sys.exc_info()[1], asyncio.CancelledError):
                raise context.halted[0] from None

    # ---------------------------------------------------------------- parts of rungs

    def _failed(self, error: str) -> ToolFailed:
        return ToolFailed(self._words.fill("failed_tool", tool=self.call.name, error=error))

    def _listed(self, names: Iterable[str]) -> str:
        return ", ".join(names) or self._words.fill("none")

    def _found(self) -> Tool:
        name = self.call.name
        tool = self.offered.get(name)
        if tool is not None:
            return tool
        existing = self._listed(self.offered.names)
        if name in self.known:
            raise ToolDenied(self._words.fill("denied_tool", role=self.scope.role, tool=name, tools=existing))
        near = difflib.get_close_matches(name, self.offered.names, n=1)
        guess = f" {self._words.fill('did_you_mean', tool=near[0])}" if near else ""
        raise UnknownTool(self._words.fill("unknown_tool", tool=repr(name), guess=guess, tools=existing))

    def _fitted(self) -> Execution:
        """The call with its tool and with arguments that fit the schema. Every change is recorded."""
        tool = self._found()
        coerced = coerce(self.call.arguments, tool.spec.parameters, tool.spec.problems)
        if coerced.problems:
            problems, expected = "; ".join(coerced.problems), self._listed(tool.spec.parameters.get("properties", ()))
            raise InvalidArguments(self._words.fill("wrong_arguments", tool=tool.name, problems=problems, parameters=expected))
        if not coerced.changes and coerced.arguments == self.call.arguments:
            return self._with(self.call, tool)
        told = {repair.what for repair in self.scope.view.repairs if repair.call == self.call.id}
        for change in coerced.changes:
            if (what := f"{tool.name}: {change}") not in told:
                self.scope.record(CallRepaired(self.call.id, self.scope.lane, "repair", what))
        return self._with(replace(self.call, arguments=coerced.arguments), tool)

    def _with(self, call: ToolCall, tool: Tool) -> Execution:
        """The same with a tool. Written out, because `replace` takes as long as all rungs together."""
        return Execution(call, self.offered, self.known, self.scope, self.room, tool, self.written or self.call)

    def _copied(self) -> bool:
        """Whether the call, as it is or as it was written, is in a text that the caller read."""
        call, parameters = self.call, self.chosen.spec.parameters.get("properties", ())
        seen = Seen(self.scope.exchange.all_messages(), own=call)
        return any(
            seen.quotes(call.name, form.arguments, spelling=form.name, parameters=parameters) for form in (call, self.written or call)
        )

    async def _looping(self, earlier: int) -> str:
        """First nudge the model, then withhold the tool for a turn, then ask the user. Empty when the user lets the model continue."""
        measure = ("nudge", "withhold", "ask")[min(earlier - self.scope.limits.repeats, 2)]
        if all(asked.call != self.call.id for asked in self.scope.view.questions.values()):  # after a pause it is already recorded
            self.scope.record(LoopNoticed(self.scope.lane, self.scope.role, self.call.name, earlier + 1, measure))  # type: ignore[arg-type]
        if measure == "ask":
            return await self._user_decides(earlier)
        raise ToolDenied(self._words.fill("same_call", times=counted(earlier, "time"), result=fenced(self._last_result())))

    def _earlier(self) -> int:
        """How often this call was made before, in this lane or in the lanes above it. Lanes side by side do not count."""
        scope, call = self.scope, self.call
        path = scope.conversation.path(scope.run, scope.lane)
        return sum(lane in path for lane in scope.view.repeats[canonical(scope.role, call.name, call.arguments)]) - 1

    async def _user_decides(self, earlier: int) -> str:
        text = f"{self.scope.role} keeps calling {self._spelled()}, {earlier + 1} times by now. Should it go on?"
        try:
            said = await self.room.ask_user(self.scope, UserQuestion(text, "choice", ("stop", "go on"), "stop"), call=self.call.id)
        except QuestionUnanswered:
            said = "stop"
        if said == "stop":
            message = f"{self.scope.role} kept calling {self.call.name} with the same arguments."
            raise LimitReached(message, limit="loop", next_step=f"`mmos runs show {self.scope.run}` shows its calls.")
        return "" if said == "go on" else self._words.fill("user_says", answer=said)

    def _handed_on(self, text: str) -> str:
        """Keep a result whole that is too long for any window. The model gets its beginning, its headings and its end."""
        if len(text) <= LONGEST_RESULT:
            return text
        reference = self.scope.keep("", text)
        return self._words.fill("long_result", length=f"{len(text):,}", artifact=reference, digest=fenced(digest(text)))

    def _spelled(self) -> str:
        return f"{self.call.name}({', '.join(f'{name}={value!r}' for name, value in self.call.arguments.items())})"[:SHOWN]

    def _last_result(self) -> str:
        key = canonical(self.scope.role, self.call.name, self.call.arguments)
        for finished in reversed(self.scope.view.finished_calls.values()):
            begun = self.scope.view.started_calls[finished.call]
            if finished.ok and canonical(begun.role, begun.tool, begun.arguments) == key:
                return finished.message.content[:SHOWN]
        return f"{self._words.fill('none')}."


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The single errors of an exception group."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {apart(str(error))}".removesuffix(": ")


RUNGS: tuple[Rung, ...] = (
    Execution.caught,
    Execution.unlooped,
    Execution.settled,
    Execution.vouched,
    Execution.recovered,
    Execution.durable,
    Execution.timed,
    Execution.told_apart,
)
"""What surrounds a call, from the outside in. Each rung goes on to the next one, or ends the call."""


def _onto(inner: Next, rung: Rung) -> Next:
    return lambda execution: rung(execution, inner)


_DONE: Next = Execution._done
CLIMB = reduce(_onto, reversed(RUNGS), _DONE)
