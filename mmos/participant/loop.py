"""The loop of every participant: it asks its model and runs the calls that the model makes, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from mmos.calls.shape import Shape
from mmos.config.model_keys import Entries, Named, named
from mmos.config.schema import Step
from mmos.context import PASS_ON, Answer, Participant, Question, UserAnswer, UserQuestion
from mmos.errors import (
    LimitReached,
    MmosError,
    NoHost,
    NotFound,
    QuestionOpen,
    SchemaUnmet,
    StateError,
    ToolError,
)
from mmos.events import LaneClosed, LaneOpened, Prompted, Status
from mmos.executor import Execution, Next
from mmos.messages import Message, ToolCall
from mmos.participant.cast import Cast, Member, models_of
from mmos.participant.ending import answer_of, final_answer, first_calls, is_final
from mmos.participant.experience import Experience
from mmos.participant.eyes import Eyes
from mmos.participant.foresight import Foresight
from mmos.participant.helping import Help
from mmos.participant.ladder import Ladder
from mmos.participant.models import Models
from mmos.participant.questions import Desk
from mmos.participant.ruled import member_now, must_now
from mmos.participant.surroundings import Around, Dividing, Recovery, Rules
from mmos.participant.turn import Turn
from mmos.placement.forecasting import Order
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Tool, Toolbox, from_function
from mmos.views.conversation import Lane

OWN_LIMITS = ("limit_turns", "repetition")
"""Limits of one participant. The caller of that participant continues with what it wrote so far."""
MOST_ATTEMPTS = 2
"""How often MMOS asks for an answer that fits the schema."""


@dataclass(frozen=True)
class Participants:
    """The participants of a run and what they share. Through it, tools reach other participants and the user."""

    models: Models
    cast: Cast
    desk: Desk = field(default_factory=Desk)
    experience: Experience = field(default_factory=Experience)
    box: Toolbox = field(default_factory=Toolbox)
    """All tools of the app."""
    window: Callable[[str, Collection[str]], int] = lambda _model, _servers: 0
    """The window that a model has on these servers."""
    ladder: Ladder | None = None
    templates: Templates = field(default_factory=Templates)
    shape: Shape | None = None
    """The schema of the answer to the user."""
    degrade: Sequence[Step] = ()
    """What to do, in this order, with a call that would have to wait."""
    foresight: Foresight | None = None
    recovery: Recovery[Exchange, Participants] | None = None
    """Cures exchanges and calls that fail."""
    judging: Around[Exchange] | None = None
    """Validates the answer to the user. None: nobody asked for that."""
    entries: Entries = field(default_factory=dict)
    """What the configuration says of models, by keys that may stand in place of their names."""
    dividing: Dividing[Exchange] | None = None
    """Reads a task that is larger than a window in parts."""
    patterns: Around[Exchange] | None = None
    """Carries out the patterns that stand in place of models."""
    library: Around[Exchange] | None = None
    """Looks up the task of the run. None: nobody asked for that."""
    rules: Rules | None = None
    """Tried at each turn of the role that answers the user. None: there are none."""
    approving: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the user is asked to approve a call."""
    at_work: set[str] = field(default_factory=set)
    """The lanes in which somebody is answering now."""

    @property
    def eyes(self) -> Eyes:
        return Eyes(self.models, self.cast, self.experience.vision)

    async def respond(self, scope: Scope, member: Member, shape: Shape | None) -> Answer:
        """The loop. Its state is the lane, so a resumed run can enter at any point."""
        foresight = self.foresight
        turns = foresight.turns(scope, member, self.cast) if foresight is not None else None
        turn = Turn(self, self.models, self.experience, member, scope, self.eyes, self.ladder, shape, self.degrade, turns)
        helping = Help(self.desk, self.templates)
        while True:
            lane = scope.exchange
            if lane.pending:
                if foresight is not None:
                    foresight.calls_run(scope, member, self.cast, lane.pending)
                await self._carry_out(member, scope, lane.pending)
            elif lane.last.role == "tool" and is_final(lane.last, member, scope):
                return final_answer(lane.last, shape, scope)
            elif lane.last.role == "assistant":
                if shape is None or self._fits(shape, member, scope):
                    return answer_of(lane.last, shape)
            elif not await helping.is_awaited(scope):
                await helping.take(turn if scope.depth else await self._ruled(turn, scope), scope)

    async def _ruled(self, turn: Turn, scope: Scope) -> Turn:
        """The turn as the rules say that are true now, or that became true before."""
        if self.rules is not None:
            await self.rules.meet(scope)
        if not scope.view.rules.met:
            return turn
        return replace(turn, member=member_now(scope, turn.member, self.moved), must=must_now(scope, turn.member))

    async def answer(self, scope: Scope) -> Answer:
        """Answer the user."""
        return await self._exchange(scope, self.cast[scope.role], self.shape)

    async def _exchange(self, scope: Scope, member: Member, shape: Shape | None) -> Answer:
        """Let a member answer in the lane of the scope."""
        return await ANSWERING(Exchange(self, scope, member, shape))

    def end(self, scope: Scope, status: Status) -> LaneClosed:
        if status == "answered":
            return LaneClosed(scope.lane, scope.role, status)
        text = scope.view.partial_texts.get(scope.lane) or scope.exchange.newest_text()
        return LaneClosed(scope.lane, scope.role, status, text, self.templates.fill("cut_short", status=status))

    def _fits(self, shape: Shape, member: Member, scope: Scope) -> bool:
        """Whether the answer fits the schema. If not, the next turn asks for it again, a limited number of times."""
        lane = scope.exchange
        problems = shape.problems(lane.last.content)
        if not problems:
            return True
        if lane.reshaped >= (MOST_ATTEMPTS if member.box else MOST_ATTEMPTS - 1):
            raise SchemaUnmet(f"{scope.role} ({member.role.model}) gave no answer that fits the schema: {'; '.join(problems)}")
        scope.record(Prompted(scope.lane, scope.role, Message("user", self.shape_words(shape, member, lane, problems)), shape=True))
        return False

    def shape_words(self, shape: Shape, member: Member, lane: Lane, problems: Iterable[str]) -> str:
        """What a participant reads whose answer does not fit the schema."""
        schema = shape.format.decode()
        if member.box and not lane.reshaped:  # no turn has asked for the schema yet
            return self.templates.fill("shape", schema=schema)
        return self.templates.fill("shape_again", schema=schema, problems="\n".join(f"- {problem}" for problem in problems))

    # ---------------------------------------------------------------- the room

    async def ask(self, scope: Scope, question: Question, *, call: str) -> Answer:
        """Ask another participant, in its own lane below the caller's. A lane that has its answer gives it at once."""
        member = self._member(question)
        if scope.depth >= scope.limits.depth:
            raise ToolError(self.templates.fill("nested_too_deep", depth=str(scope.limits.depth)))
        lane = self._lane(scope, question, call)
        inner = scope.bind(
            lane=lane, role=question.name, depth=scope.depth + 1, listener=scope.hear_aloud if question.aloud else scope.inner_listener
        )
        if question.turns is not None:
            inner = inner.bind(limits=replace(scope.limits, turns=question.turns))
        if inner.exchange.status is not None:
            return _placed(answer_of(inner.exchange.last, question.shape), lane)
        self.at_work.add(lane)
        try:
            member = self.changed(member, scope.view.recoveries.changes_of_call(call))
            return _placed(await self._ask_in_time(inner, member, question), lane)
        finally:
            self.at_work.discard(lane)

    async def _ask_in_time(self, inner: Scope, member: Member, question: Question) -> Answer:
        name, model, seconds = question.name, member.role.model, question.seconds or member.role.timeout
        limit: asyncio.Timeout | None = None
        try:
            if seconds is None:
                return await self._exchange(inner, member, question.shape)
            async with asyncio.timeout(seconds) as limit:
                return await self._exchange(inner.within(seconds), member, question.shape)
        except TimeoutError as error:
            if limit is None or not limit.expired():
                raise
            raise ToolError(self.templates.fill("late_answer", role=name, seconds=f"{seconds:g}"), code="tool_timeout") from error
        except NoHost as error:
            who = name if name == model else f"{name} ({model})"
            inner.warn(f"{who} gave no answer: {error}", unserved=(f"{name}={model}",))
            raise
        except LimitReached as error:
            if error.limit not in OWN_LIMITS:
                raise
            return Answer(inner.exchange.newest_text() or self.templates.fill("no_answer", reason=error.message), complete=False)

    def slots(self, who: str | Participant) -> int:
        role = self._member(Question(who, Message("user", ""), "")).role
        return max(1, self.dividing.slots(role.model, role.servers)) if self.dividing is not None else 1

    async def order(self, whos: Iterable[str | Participant], joiner: str) -> Order:
        members = [self._member(Question(who, Message("user", ""), "")) for who in whos]
        return "any" if self.foresight is None else await self.foresight.order(members, joiner)

    async def ask_user(self, scope: Scope, question: UserQuestion, *, call: str) -> UserAnswer:
        return await self.desk.ask(scope, question, call=call)

    async def interpret(self, scope: Scope, text: str, *, role: str) -> tuple[ToolCall, ...] | str:
        box = self._role(role).box
        return await self.ladder.interpret(scope, text, box) if self.ladder else "there is no interpreter"

    async def clarify(self, scope: Scope, call: ToolCall, box: Toolbox, fault: str) -> ToolCall | None:
        return await self.ladder.clarify(scope, call, box, fault) if self.ladder else None

    async def cure(self, execution: Execution, go_on: Next) -> str:
        return await go_on(execution) if self.recovery is None else await self.recovery.call(self, execution, go_on)

    def changed(self, member: Member, changes: Mapping[str, Any]) -> Member:
        """The member as a recovery changes it."""
        return member.changed(changes, models_of(self.cast)) if changes else member

    def moved(self, member: Member, model: str, servers: tuple[str, ...]) -> Member:
        """The member with another model, which need not be in the cast."""
        return member.moved(model, servers, self.window(model, servers))

    def _role(self, name: str) -> Member:
        if name not in self.cast:
            raise NotFound(f"There is no role {name!r}; roles: {', '.join(self.cast)}.")
        return self.cast[name]

    def _member(self, question: Question) -> Member:
        """Who is asked, with the tools for this question."""
        who = question.who
        if isinstance(who, str):
            member = self._role(who)
            if question.model:
                member = self.moved(member, question.model, question.servers)
            if question.tools is None:
                return member
            given, rules = self._tools(question.tools), member.rules.get("ask", ())
            box = Toolbox.of([*member.box, *given]) if question.beside else given.asking(rules)
            return replace(member, box=box, first=first_calls(question, box))
        role, *others = (self._with(who, one) for one in named((who.model, *who.others), self.entries))
        tools = who.tools if question.tools is None else question.tools
        box = self._tools(tools)
        return Member(role, who.system, box, self.templates, first_calls(question, box), others=tuple(others))

    def _with(self, who: Participant, one: Named) -> Participant:
        """The participant with a model, and with what the configuration says of it where it is named by its key."""
        own = one.entry.context_window if one.entry else None
        window = who.window or own or self.window(one.model, who.servers)
        return replace(who, model=one.model, window=window, options=one.options(who.options), think=one.think(who.think))

    def _tools(self, tools: Iterable[Any]) -> Toolbox:
        """A box of functions, and of tools of the app by their names."""
        return Toolbox.of(self._tool(tool) for tool in tools)

    def _tool(self, tool: Any) -> Tool:
        if not isinstance(tool, str):
            return tool if isinstance(tool, Tool) else from_function(tool)
        if tool not in self.box:
            raise NotFound(f"There is no tool {tool!r}; tools: {', '.join(self.box.names)}.")
        return self.box.tools[tool]

    def _lane(self, scope: Scope, question: Question, call: str) -> str:
        """The lane of this question: one that has its answer, one that a pause or a crash left open, or a new one."""
        attempt = 1
        while True:
            key = question.key if attempt == 1 else f"{question.key}~{attempt}"
            lane = f"{scope.lane}/{call}/{key}"
            earlier = scope.conversation.lanes.get((scope.run, lane))
            if earlier is None:
                break
            same = question.named or earlier.messages[0].content == question.message.content
            if same and earlier.status in (None, "answered") and lane not in self.at_work:
                return lane
            attempt += 1
        scope.record(LaneOpened(lane, question.name, question.message, scope.lane, call, scope.depth + 1, key, question.memory))
        return lane

    # ---------------------------------------------------------------- the calls

    async def _carry_out(self, member: Member, scope: Scope, calls: tuple[ToolCall, ...]) -> None:
        """Run all calls of the turn at the same time. An error that ends or pauses the run is raised when all of them are done."""
        box = member.box.without(scope.view.hidden_tools.get(scope.lane, ()))
        if scope.exchange.history.refers:
            from mmos.participant.artifacts import with_reader  # as in its prompt

            box = with_reader(box, member)
        runs = [Execution(call, box, self.box, scope, self, terms=member.terms).run() for call in calls]
        if len(runs) == 1:
            await runs[0]
            return
        ends: list[MmosError] = []

        async def rest(run: Awaitable[object]) -> None:
            try:
                await run
            except PASS_ON as error:
                ends.append(error)

        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(rest(run))
        if ends:
            raise min(ends, key=lambda error: (not isinstance(error, StateError), isinstance(error, QuestionOpen)))


def _placed(answer: Answer, lane: str) -> Answer:
    """The answer with its lane. Written out, because `replace` takes three times as long."""
    return Answer(answer.text, answer.reasoning, answer.complete, answer.data, lane)


@dataclass(frozen=True)
class Exchange:
    """One member while it answers in its lane."""

    room: Participants
    scope: Scope
    member: Member
    shape: Shape | None = None

    async def record_end(self, go_on: NextExchange) -> Answer:
        """Record how the exchange ended. A lane that waits for the user stays open."""
        status: Status = "failed"
        try:
            answer = await go_on(self)
            status = "answered"
        except QuestionOpen:
            status = "waiting"
            raise
        except LimitReached:
            status = "partial"
            raise
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            if self.room.foresight is not None:
                self.room.foresight.ends(self.scope)
            if status != "waiting":
                self.scope.record(self.room.end(self.scope, status))
        return answer

    async def validate(self, go_on: NextExchange) -> Answer:
        """Let the answer be judged before the exchange ends."""
        judging = self.room.judging
        return await go_on(self) if judging is None else await judging.exchange(self, go_on)

    async def recover(self, go_on: NextExchange) -> Answer:
        """Let the recovery see how the exchange ends."""
        recovery = self.room.recovery
        return await go_on(self) if recovery is None else await recovery.exchange(self, go_on)

    async def look_up(self, go_on: NextExchange) -> Answer:
        """Look the task up in the library of documents."""
        library = self.room.library
        return await go_on(self) if library is None else await library.exchange(self, go_on)

    async def use_pattern(self, go_on: NextExchange) -> Answer:
        """Let a pattern answer in place of the model, or advise it."""
        patterns = self.room.patterns
        if patterns is None or not any(one.role.pattern for one in self.member.choices):
            return await go_on(self)
        return await patterns.exchange(self, go_on)

    async def divide(self, go_on: NextExchange) -> Answer:
        """Let a task that does not fit into the window be read in parts."""
        dividing = self.room.dividing
        return await go_on(self) if dividing is None else await dividing.exchange(self, go_on)

    async def respond(self) -> Answer:
        return await self.room.respond(self.scope, self.member, self.shape)


NextExchange = Callable[[Exchange], Awaitable[Answer]]

AROUND: tuple[Callable[[Exchange, NextExchange], Awaitable[Answer]], ...] = (
    Exchange.record_end,
    Exchange.validate,
    Exchange.recover,
    Exchange.look_up,
    Exchange.use_pattern,
    Exchange.divide,
)
"""What surrounds an exchange, from the outside in. The loop is inside."""


def _onto(inner: NextExchange, outer: Callable[[Exchange, NextExchange], Awaitable[Answer]]) -> NextExchange:
    return lambda exchange: outer(exchange, inner)


_RESPOND: NextExchange = Exchange.respond
ANSWERING = reduce(_onto, reversed(AROUND), _RESPOND)
