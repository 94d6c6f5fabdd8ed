"""Runs one tool call. `RUNGS` lists what surrounds it, such as loops, arguments, crashes and time."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Protocol, cast

from mmos.answers import YES, verdict
from mmos.approval import ApprovalRoom, approve
from mmos.calls.coerce import Coercion, coerce
from mmos.calls.seen import Seen
from mmos.context import PASS_ON, Context, UserAnswer, UserQuestion, invoke
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
from mmos.views.recoveries import version_of
from mmos.views.uses import call_key

LONGEST_RESULT = 50_000
"""A tool result up to this many characters goes to the model whole."""

SHOWN = 400
"""How many characters of an earlier result a nudge repeats."""


class House(ApprovalRoom, Protocol):
    """What the executor itself can reach."""

    async def clarify(self, scope: Scope, call: ToolCall, box: Toolbox, fault: str) -> ToolCall | None:
        """The call that the model wanted, for one that cannot run. None: MMOS cannot find out."""
        ...

    async def cure(self, execution: Execution, go_on: Next) -> str:
        """The result of the call. A failure that comes again may be cured."""
        ...


Next = Callable[["Execution"], Awaitable[str]]
Rung = Callable[["Execution", Next], Awaitable[str]]


@dataclass(frozen=True)
class Execution:
    """One tool call while it runs."""

    call: ToolCall
    box: Toolbox
    """The tools of the caller in this turn."""
    app_tools: Container[str]
    """The names of all tools: a forbidden tool is among them, an invented one is not."""
    scope: Scope
    room: House
    tool: Tool | None = None
    """None until `prepare` has found it."""
    original: ToolCall | None = None
    """The call as the model wrote it. None as long as `call` is that."""
    terms: Mapping[str, Any] = field(default_factory=dict)
    """The role and the rules of the caller. An approval of the user holds for them."""

    async def run(self) -> CallFinished:
        """Count the call, run it, and record how it ended."""
        scope, call = self.scope, self.call
        start = scope.clock()
        if call.id not in scope.view.started_calls:  # a call that resumes after a question or a crash is not counted again
            scope.check_call()
            scope.record(CallStarted(call.id, scope.lane, scope.role, call.name, call.arguments))
        ok, code = True, ""
        try:
            text = await CLIMB(self)
        except ToolError as error:
            ok, code, text = False, error.code, error.report or self._templates.fill("error", message=str(error))
        message = Message("tool", clean(text), tool_name=call.name, call_id=call.id)
        end = CallFinished(call.id, scope.lane, scope.role, call.name, ok, message, round(scope.clock() - start, 6), code)
        scope.record(end)
        if (tool := self.box.get(call.name)) is None or tool.effects:
            await scope.durable()  # the next step builds on it
        return end

    @property
    def _templates(self) -> Templates:
        return self.room.templates

    @property
    def chosen(self) -> Tool:
        """The tool, for the rungs after `prepare`."""
        return cast("Tool", self.tool)

    # ---------------------------------------------------------------- the rungs

    async def cure(self, go_on: Next) -> str:
        """Let the recovery see how the call ends."""
        return await self.room.cure(self, go_on)

    async def catch(self, go_on: Next) -> str:
        """Turn every fault of a tool into an error that the model can read. Errors that end the run pass."""
        try:
            return await go_on(self)
        except asyncio.CancelledError:
            if _cancelled_from_outside():
                raise
            raise self._failure(self._templates.fill("cancelled_tool")) from None
        except (ToolError, *PASS_ON):
            raise
        except MmosError as error:
            raise ToolError(apart(str(error)), code=error.code) from error
        except SystemExit as error:
            raise self._failure(self._templates.fill("exited_tool", error=_describe(error))) from error
        except Exception as error:  # the only broad catch in MMOS: a tool may raise anything
            leaves = list(_leaves(error))
            for leaf in leaves:
                if isinstance(leaf, PASS_ON):
                    raise leaf from None
            raise self._failure("; ".join(map(_describe, leaves))) from error

    async def break_loop(self, go_on: Next) -> str:
        """Stop a caller that makes the same call again and again. Repeatable tools and calls that a crash cut off are no loop."""
        tool, earlier = self.box.get(self.call.name), self._earlier()
        withheld = tool is None and self.call.name in self.app_tools
        free = self.call.id in self.scope.view.interruptions or withheld or (tool is not None and tool.repeatable)
        if earlier >= self.scope.limits.repeats and not free and (text := await self._looping(earlier)):
            return text
        return await go_on(self)

    async def prepare(self, go_on: Next) -> str:
        """Find the tool and fit the arguments: as they are, coerced to the schema, or clarified once. If another call runs, its result says so."""
        repairs = [repair for repair in self.scope.view.repairs if repair.call == self.call.id and repair.tool]
        newest = ToolCall(self.call.id, repairs[-1].tool, repairs[-1].arguments) if repairs else None  # clarified before a pause
        clear = newest if newest != self.call else None  # a recovery may go back to the call as it was
        try:
            execution = self if clear else self._fit()
        except (UnknownTool, InvalidArguments) as error:
            clear = await self.room.clarify(self.scope, self.call, self.box, error.message)
            if clear is None:
                raise
        if clear is None:
            return await go_on(execution)
        other = replace(self, call=replace(clear, id=self.call.id), original=self.call)
        note = self._templates.fill("other_call", call=other._spelling())
        return f"{note}\n{await go_on(other._fit())}"

    async def keep_to_phase(self, go_on: Next) -> str:
        """Refuse a tool that the phase does not allow. The phase is that of the turn that made the call, also when another call has changed it since."""
        phases, phase = self.scope.phases, self._phase
        if not phases or phases.permits(phase, self.chosen.name):
            return await go_on(self)
        raise ToolDenied(self._templates.fill("barred_tool", tool=self.chosen.name, phase=phase, tools=self._list(self._permitted)))

    async def confirm(self, go_on: Next) -> str:
        """Ask the user about a call that is also in a text that the caller has read: perhaps the author of that text wants it, and not the model."""
        if (passages := self.scope.conversation.passages_read) and self._is_in(Seen(passages)):
            raise ToolDenied(self._templates.fill("passage_call"))  # whoever wrote a document gives no orders here
        if not self.chosen.effects or not self._is_in(Seen([*self.scope.read(), *self.scope.view.recoveries.faults()], own=self.call)):
            return await go_on(self)
        call, role = self.call, self.scope.role
        text = f"A text that {role} has read contains this call: {self._spelling()}. Should MMOS make it?"
        try:
            answer = await self.room.ask_user(self.scope, UserQuestion(text, "choice", ("no", "yes"), "no"), call=call.id)
        except QuestionUnanswered:
            self.scope.warn(
                f"{role} copied a call of {call.name} from a text that it read. MMOS could not ask the user, so it did not make the call."
            )
            answer = UserAnswer(self._templates.fill("user_not_asked"), "default")
        if answer.strip().lower() != "yes":
            raise ToolDenied(self._templates.fill("copied_call", answer=answer))
        return await go_on(self)

    async def recover(self, go_on: Next) -> str:
        """Repeat a call that a crash cut off, or make one that was imported, only if the tool or the user allows it."""
        tool, times = self.chosen, self.scope.view.interruptions[self.call.id]
        imported = self.call.id in self.scope.view.imported_calls and not tool.approval  # an approval is asked for in any case
        if not tool.effects or not (times or imported):
            return await go_on(self)
        if callable(tool.after_crash):
            return render(await invoke(tool.after_crash, self.call.arguments))
        what = f"A crash or a stop cut off the call {self._spelling()}" + (f", {times} times by now" if times > 1 else "")
        if not times:
            what = f"The call {self._spelling()} came with an imported run"
        question = UserQuestion(f"{what}. Perhaps it took effect. Should MMOS make the call again?", "choice", ("repeat", "skip"))
        answer = await self.room.ask_user(self.scope, question, call=self.call.id)
        if answer == "repeat" or verdict(answer) == YES:
            return await go_on(self)
        raise ToolUnknownOutcome(self._templates.fill("cut_off_call", answer=answer))

    async def approve(self, go_on: Next) -> str:
        """Ask the user before a call of a tool that needs approval."""
        await approve(self.scope, self.room, self.chosen, self.call, self.terms)
        return await go_on(self)

    async def persist(self, go_on: Next) -> str:
        """Write a call to the journal, and to the disk, before its effects."""
        if self.chosen.effects:
            await self.scope.durable(on_disk=True)
        return await go_on(self)

    async def limit_time(self, go_on: Next) -> str:
        """Stop a tool that takes longer than its timeout."""
        tool, limit, seconds = self.chosen, None, None
        try:
            if tool.timeout is None:
                return await go_on(self)
            seconds = self.scope.view.recoveries.changes_of_call(self.call.id).get("timeout", tool.timeout)
            async with asyncio.timeout(seconds) as limit:
                with self.scope.pulse:
                    return await go_on(self)
        except TimeoutError as error:
            if limit is None or not limit.expired():
                raise self._failure(_describe(error)) from error
            raise ToolTimeout(self._templates.fill("late_tool", tool=tool.name, seconds=f"{seconds:g}")) from error

    async def set_apart(self, go_on: Next) -> str:
        """Put lines around a result that could pose as the user. Shorten a result that is too long for any window."""
        try:
            return self._readable(apart(await go_on(self)))
        except ToolError as error:
            if error.report or not poses(str(error)):
                raise
            raise ToolError(apart(str(error)), code=error.code) from error

    async def _run_tool(self) -> str:
        """Run the tool itself. If the run pauses or ends, the result of the tool does not count."""
        context = Context(self.scope, self.room, self.call.id, self._version)
        try:
            return render(await self.chosen.run(context, self.call.arguments))
        finally:
            if context.halts and not isinstance(sys.exc_info()[1], asyncio.CancelledError):
                raise context.halts[0] from None

    # ---------------------------------------------------------------- parts of rungs

    @property
    def _version(self) -> int:
        view = self.scope.view
        if not view.recoveries.attempts:
            return 0
        return version_of((self.original or self.call).arguments, [repair for repair in view.repairs if repair.call == self.call.id])

    def _failure(self, error: str) -> ToolFailed:
        return ToolFailed(self._templates.fill("failed_tool", tool=self.call.name, error=error))

    def _list(self, names: Iterable[str]) -> str:
        return ", ".join(names) or self._templates.fill("none")

    @property
    def _phase(self) -> str:
        view = self.scope.view
        return view.asked_in.get(self.scope.lane, view.phase)

    @property
    def _permitted(self) -> list[str]:
        """The tools that the caller may call in this turn."""
        return [name for name in self.box.names if self.scope.phases.permits(self._phase, name)]

    def _find(self) -> Tool:
        name = self.call.name
        tool = self.box.get(name)
        if tool is not None:
            return tool
        names = self._list(self._permitted)
        if name in self.app_tools:
            raise ToolDenied(self._templates.fill("denied_tool", role=self.scope.role, tool=name, tools=names))
        near = difflib.get_close_matches(name, self.box.names, n=1)
        guess = f" {self._templates.fill('did_you_mean', tool=near[0])}" if near else ""
        raise UnknownTool(self._templates.fill("unknown_tool", tool=repr(name), guess=guess, tools=names))

    def _fit(self) -> Execution:
        """The call with its tool and with arguments that fit the schema. Every change is recorded."""
        tool = self._find()
        result = coerce(self.call.arguments, tool.spec.parameters, tool.spec.problems)
        if result.problems and tool.mend is not None and (mended := tool.mend(result.arguments)) is not None:
            result = Coercion(dict(mended), (*result.changes, *(f"taken as it is: {problem}" for problem in result.problems)))
        if result.problems:
            problems, parameters = "; ".join(result.problems), self._list(tool.spec.parameters.get("properties", ()))
            raise InvalidArguments(self._templates.fill("wrong_arguments", tool=tool.name, problems=problems, parameters=parameters))
        if not result.changes and result.arguments == self.call.arguments:
            return self._with(self.call, tool)
        records = {repair.what for repair in self.scope.view.repairs if repair.call == self.call.id}
        for change in result.changes:
            if (what := f"{tool.name}: {change}") not in records:
                self.scope.record(CallRepaired(self.call.id, self.scope.lane, "repair", what))
        return self._with(replace(self.call, arguments=result.arguments), tool)

    def _with(self, call: ToolCall, tool: Tool) -> Execution:
        """The same with a tool. Written out, because `replace` takes as long as all rungs together."""
        return Execution(call, self.box, self.app_tools, self.scope, self.room, tool, self.original or self.call, self.terms)

    def _is_in(self, texts: Seen) -> bool:
        call, parameters = self.call, self.chosen.spec.parameters.get("properties", ())
        return any(
            texts.quotes(call.name, form.arguments, spelling=form.name, parameters=parameters) for form in (call, self.original or call)
        )

    async def _looping(self, earlier: int) -> str:
        """First nudge the model, then withhold the tool for a turn, then ask the user. Empty when the user lets the model continue."""
        measure = ("nudge", "withhold", "ask")[min(earlier - self.scope.limits.repeats, 2)]
        if all(question.call != self.call.id for question in self.scope.view.questions.values()):  # after a pause it is already recorded
            self.scope.record(LoopNoticed(self.scope.lane, self.scope.role, self.call.name, earlier + 1, measure))  # type: ignore[arg-type]
        if measure == "ask":
            return await self._user_decides(earlier)
        raise ToolDenied(self._templates.fill("same_call", times=counted(earlier, "time"), result=fenced(self._last_result())))

    def _earlier(self) -> int:
        """How often this call was made before, in this lane or in the lanes above it. Lanes side by side do not count."""
        scope, call = self.scope, self.call
        path = scope.conversation.path(scope.run, scope.lane)
        return sum(lane in path for lane in scope.view.repeats[call_key(scope.role, call.name, call.arguments)]) - 1

    async def _user_decides(self, earlier: int) -> str:
        text = f"{self.scope.role} keeps calling {self._spelling()}, {earlier + 1} times by now. Should it go on?"
        try:
            answer = await self.room.ask_user(self.scope, UserQuestion(text, "choice", ("stop", "go on"), "stop"), call=self.call.id)
        except QuestionUnanswered:
            answer = UserAnswer("stop", "default")
        if answer == "stop":
            message = f"{self.scope.role} kept calling {self.call.name} with the same arguments."
            error = LimitReached(message, limit="loop", next_step=f"`mmos runs show {self.scope.run}` shows its calls.")
            error.by_user = answer.by == "user"
            raise error
        return "" if answer == "go on" else self._templates.fill("user_says", answer=answer)

    def _readable(self, text: str) -> str:
        """What the model gets of a result: the whole text. If it is too long for any window, a digest and a reference to the whole text."""
        if len(text) <= LONGEST_RESULT:
            return text
        reference = self.scope.keep("", text)
        return self._templates.fill("long_result", length=f"{len(text):,}", artifact=reference, digest=fenced(digest(text)))

    def _spelling(self) -> str:
        return f"{self.call.name}({', '.join(f'{name}={value!r}' for name, value in self.call.arguments.items())})"[:SHOWN]

    def _last_result(self) -> str:
        key = call_key(self.scope.role, self.call.name, self.call.arguments)
        for end in reversed(self.scope.view.finished_calls.values()):
            start = self.scope.view.started_calls[end.call]
            if end.ok and call_key(start.role, start.tool, start.arguments) == key:
                return end.message.content[:SHOWN]
        return f"{self._templates.fill('none')}."


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


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {apart(str(error))}".removesuffix(": ")


RUNGS: tuple[Rung, ...] = (
    Execution.cure,
    Execution.catch,
    Execution.break_loop,
    Execution.prepare,
    Execution.keep_to_phase,
    Execution.confirm,
    Execution.recover,
    Execution.approve,
    Execution.persist,
    Execution.limit_time,
    Execution.set_apart,
)
"""What surrounds a call, from the outside in. Each rung goes on to the next one, or ends the call."""


def _onto(inner: Next, rung: Rung) -> Next:
    return lambda execution: rung(execution, inner)


_RUN_TOOL: Next = Execution._run_tool
CLIMB = reduce(_onto, reversed(RUNGS), _RUN_TOOL)
