"""Walks through the entries of a run and compares each step with what today would do in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from mmos.calls.channels import Channel
from mmos.calls.reading import Reading, says_the_same
from mmos.choice_events import TaskRouted
from mmos.errors import MmosError
from mmos.events import (
    CallFinished,
    CallRepaired,
    Entry,
    Event,
    Forked,
    LaneOpened,
    ModelAsked,
    ModelReplied,
    Prompted,
    RunFinished,
    RunResumed,
    RunStarted,
)
from mmos.executor import Execution
from mmos.hosts.face import ChatRequest
from mmos.hosts.ollama import chat_body
from mmos.messages import ToolCall
from mmos.participant.artifacts import with_reader
from mmos.participant.ending import answer_of, help_of
from mmos.prompting.frame import Frame
from mmos.prompting.request import request_of
from mmos.recovery.words import words_of
from mmos.recovery_events import RolledBack
from mmos.replay.asking import Asking, GoneError, Today, channel_of
from mmos.replay.differences import Difference, differences, of_texts, said
from mmos.replay.present import AskedError, Present, PresentOf, brief
from mmos.replay.report import Comparison, Kind, Replay
from mmos.replay.state import NotKeptError, RunState
from mmos.views.patterns import TOOL as RUN_PATTERN
from mmos.views.quality import is_aside
from mmos.views.talks import TOOL as CONVERSATION

ENDED = "(the run would end here)"
LOOSE = ("tool", "format", "order", "system text", "message")
"""How the names of those parts of a request begin that only the function that asked knows."""


@dataclass
class Walk:
    """One walk through a run."""

    state: RunState
    present_of: PresentOf
    learned: Sequence[Entry] = ()
    """What runs have shown about models."""
    asks: Collection[str] | None = None
    """Only these requests are compared. None: every step."""
    unusable: str = field(default="", init=False)
    """Why the options of the run, as they are at this step, cannot be used today."""
    options: dict[str, Any] = field(default_factory=dict, init=False)
    """The options of the run."""
    asking: Asking = field(init=False)
    _present: Present | None = field(default=None, init=False)
    _unmade: int = field(default=0, init=False)
    _channels: dict[str, Channel] = field(default_factory=dict, init=False)
    """For each request, how its reply is read."""
    _repaired: set[str] = field(default_factory=set, init=False)
    """Calls that were found in a text that the journal does not have."""
    _readings: dict[str, Reading] = field(default_factory=dict, init=False)
    """For each lane, what was read in its newest reply."""

    async def through(self, entries: Sequence[Entry]) -> Replay:
        """All steps of the run, from the entries of its thread."""
        mine = tuple(entry for entry in entries if entry.run == self.state.run)
        replies = {entry.event.ask: entry.event for entry in mine if isinstance(entry.event, ModelReplied)}
        self.asking = Asking(self.state, self.learned, replies)
        self._repaired = {call.id for reply in replies.values() if reply.raw is None for call in reply.message.calls}
        self._repaired &= {entry.event.call for entry in mine if isinstance(entry.event, CallRepaired) and entry.event.stage == "extract"}
        await self._take_options({})
        steps = tuple([step async for step in self._comparisons(entries)])
        return Replay(self.state.run, self.state.thread, self.state.view.task, mine, steps, self._unmade)

    async def _comparisons(self, entries: Iterable[Entry]) -> AsyncIterator[Comparison]:
        for entry in entries:
            if entry.run == self.state.run:
                if isinstance(entry.event, RunStarted | Forked | RunResumed | TaskRouted):
                    await self._take_options(entry.event.options)
                if (step := await self._step(entry)) is not None:
                    yield step
            self.state.apply(entry)

    async def _take_options(self, changes: Mapping[str, Any]) -> None:
        """The options of the run may change when it is resumed. Options of long ago may not fit the configuration of today."""
        self.options |= changes
        try:
            self._present, self.unusable = await self.present_of(self.options), ""
            self.state.phases = self._present.phases
        except MmosError as error:
            self._present, self.unusable = None, f"the options of the run cannot be used today: {error.message}"

    @property
    def present(self) -> Present:
        if self._present is None:
            raise NotKeptError(self.unusable)
        return self._present

    async def _step(self, entry: Entry) -> Comparison | None:
        """The entry compared with today. None: there is nothing to compare."""
        event = entry.event
        if type(event) not in _COMPARES or (self.asks is not None and not (isinstance(event, ModelAsked) and event.ask in self.asks)):
            return None
        kind, compare = _COMPARES[type(event)]
        if is_aside(getattr(event, "lane", "")) and kind != "request":
            return None  # what an adviser or a judge read and wrote has done its work
        found: tuple[Difference, ...] | None = ()
        unknown = ""
        try:
            found = await compare(self, event)
        except NotKeptError as error:
            unknown = self.unusable or error.what
        except GoneError as error:
            found = (Difference(error.part, error.then, None),)
        except MmosError as error:
            found = (Difference(kind, None, f"{ENDED} {error}"),)
        return None if found is None else self._place(entry, kind, found, unknown)

    def _place(self, entry: Entry, kind: Kind, found: tuple[Difference, ...], unknown: str) -> Comparison:
        event: Any = entry.event
        address = event.parent if isinstance(event, LaneOpened) else getattr(event, "lane", self.state.view.lane)
        lane = self.state.conversation.lanes.get((self.state.run, address))
        turn = (lane.turns if lane else 0) + (kind in ("request", "reply"))
        role = event.role if kind == "request" or lane is None else lane.role
        return Comparison(entry, kind, role, address, max(1, turn), getattr(event, "ask", ""), found, unknown)

    # ---------------------------------------------------------------- requests and replies

    async def _request(self, event: ModelAsked) -> tuple[Difference, ...]:
        frame, reply = self.state.frames.get(event.frame), self.asking.replies.get(event.ask)
        try:
            if frame is None:
                raise NotKeptError("")
            window = (reply.window if reply else 0) or event.window
            then = request_of(replace(event, window=window), frame, self.state.lane(event.shows or event.lane))
        except (NotKeptError, KeyError):  # a stranger's wording of files may lack a text
            self._unmade += 1
            raise NotKeptError("the journal does not have all of this request") from None
        shape = self.present.participants.shape
        self._channels[event.ask] = channel_of(frame, shape.format if shape else b"")
        today = self._today(event, frame, then)
        if today.request == then:
            if today.channel is not None:
                self._channels[event.ask] = today.channel
            return ()
        found = differences(orjson.loads(chat_body(then)), orjson.loads(chat_body(today.request)))
        if not today.loose:
            return tuple(found)
        known = [one for one in found if not one.part.startswith(LOOSE)]
        return (*of_texts("system text", frame.own or frame.system.content, today.own), *known)

    def _today(self, event: ModelAsked, frame: Frame, then: ChatRequest) -> Today:
        """What would be asked today. The request was made at the newest entry of its lane; other lanes may have used up a part of the limits since."""
        before, limits = self.state.counts.get(event.lane, self.state.used()), self.present.limits
        calls, requests, tokens = (now - earlier for now, earlier in zip(self.state.used(), before, strict=True))
        if calls or requests or tokens:
            earlier = replace(
                limits,
                calls=None if limits.calls is None else limits.calls + calls,
                total_turns=None if limits.total_turns is None else limits.total_turns + requests,
                tokens=None if limits.tokens is None else limits.tokens + tokens,
            )
            with suppress(MmosError):
                today = self.asking.today(replace(self.present, limits=earlier), event, frame)
                if today.request == then:
                    return today
        return self.asking.today(self.present, event, frame)

    async def _reply(self, event: ModelReplied) -> tuple[Difference, ...] | None:
        opened = self.state.opened.get(event.lane)
        if opened is not None and opened.parent and not opened.call:
            return None  # an inquiry
        asked, channel = self.state.asked.get(event.lane), self._channels.get(event.ask)
        frame = self.state.frames.get(asked.frame) if asked else None
        if channel is None or frame is None:
            raise NotKeptError("the journal does not have the request of this reply")
        was_read = any(call.id in self._repaired for call in event.message.calls) or (frame.channel == "schema" and not frame.own)
        if event.raw is None and was_read:
            raise NotKeptError("the version that wrote it did not keep what the host sent")
        reading = self._readings[event.lane] = self.asking.reading(event, channel)
        if says_the_same(reading.message, event.message) or (reading.suspect and event.lane in self.state.inquired):
            return ()
        return of_texts("reply", said(event.message), said(reading.message))

    async def _correction(self, event: Prompted) -> tuple[Difference, ...]:
        """The text that corrects a participant, or that passes on what the user said to help it."""
        members, lane = self.present.participants, self.state.lane(event.lane)
        opened = self.state.opened.get(event.lane)
        if opened is not None and opened.call and self.asking.tool_of(opened.call) == CONVERSATION:
            raise NotKeptError(f"a conversation asked {event.role}")
        if event.shape and opened is not None:
            if members.shape is None or opened.parent:
                raise NotKeptError("a function of yours gave the schema")
            member, _ = self.asking.member(self.present, opened)
            problems = members.shape.problems(lane.last.content)
            return of_texts("message", event.message.content, members.shape_words(members.shape, member, lane, problems))
        view = self.state.view
        help_ = next((one for one in view.questions.values() if one.call == help_of(event.lane, lane)), None)
        if help_ is not None and help_.question in view.answers:
            now = members.templates.fill("user_says", answer=view.answers[help_.question].text)
        elif (reading := self._readings.get(event.lane)) is not None:
            self.asking.member(self.present, self.state.opened[event.lane])  # only a known one knows what its reply lacked
            now = members.templates.explain(reading.unclear)
        else:
            raise NotKeptError("the journal does not have the unclear reply")
        return of_texts("message", event.message.content, now)

    async def _advice(self, event: RolledBack) -> tuple[Difference, ...] | None:
        """The advice of a recovery, as its participant reads it."""
        attempt = self.state.view.recoveries.attempts.get(event.recovery)
        if attempt is None or event.undone:
            return None
        return of_texts("message", event.advice, words_of(attempt, self.state.view, self.present.participants.templates, event.done))

    # ---------------------------------------------------------------- calls and the answer

    async def _message(self, event: LaneOpened) -> tuple[Difference, ...] | None:
        """The message of a built-in tool to a participant."""
        tool = self.asking.tool_of(event.call) if event.call else ""
        if tool not in self.present.house or tool in (CONVERSATION, RUN_PATTERN):
            return None
        part, then = f"message to {event.role}", brief(event.message)
        try:
            end = await self._execution(event.call, asks=True).run()
        except AskedError as asked:
            now = brief(asked.question.message)
            return (*of_texts("role", event.role, asked.question.name), *of_texts(part, then, now))
        return (Difference(part, then, f"(no message) {end.message.content}"),)

    async def _result(self, event: CallFinished) -> tuple[Difference, ...] | None:
        """The result of a call, unless a function of the user gave it."""
        try:
            end = await self._execution(event.call).run()
        except NotKeptError:
            if self.asking.tool_of(event.call) not in self.present.house:
                return None
            raise
        return of_texts(f"result of {event.tool}", event.message.content, end.message.content)

    def _execution(self, call: str, *, asks: bool = False) -> Execution:
        """The call once more, with the tools of today, in the state of the state."""
        started = self.state.view.started_calls.get(call)
        opened = self.state.opened.get(started.lane) if started else None
        if started is None or opened is None:
            raise NotKeptError("the journal does not have the beginning of this call")
        member, loose = self.asking.member(self.present, opened)
        if loose:
            raise NotKeptError("a function gave the tools")
        box = member.box.without(self.state.view.hidden_tools.get(started.lane, ()))
        scope = self.state.scope_of_call(started, self.present.limits).bind(role=started.role)
        if scope.exchange.history.refers:
            box = with_reader(box, member)
        room = self.present.room(self.state, asks=asks)
        return Execution(
            ToolCall(call, started.tool, started.arguments), box, self.present.participants.box, scope, room, terms=member.terms
        )

    async def _answer(self, event: RunFinished) -> tuple[Difference, ...] | None:
        lane = self.state.conversation.roots.get(self.state.run)
        if event.status != "answered" or event.answer is None or lane is None:
            return None
        shape, last = self.present.participants.shape, self.state.lane(self.state.view.speaker).last
        if shape is not None and shape.problems(last.content):
            return (Difference("answer", event.answer, "(it does not fit the schema)"),)
        scope = self.state.scope(self.state.view.lane, self.present.limits)
        return of_texts("answer", event.answer, await self.present.final(scope, answer_of(last, shape).text))


Compare = Callable[[Walk, Any], Awaitable[tuple[Difference, ...] | None]]

_COMPARES: dict[type[Event], tuple[Kind, Compare]] = {
    ModelAsked: ("request", Walk._request),
    ModelReplied: ("reply", Walk._reply),
    Prompted: ("correction", Walk._correction),
    RolledBack: ("correction", Walk._advice),
    LaneOpened: ("message", Walk._message),
    CallFinished: ("result", Walk._result),
    RunFinished: ("answer", Walk._answer),
}
