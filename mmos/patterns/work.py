"""Defines what a form may do while it works on a task: ask members, wait for them, and say what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mmos.calls.shape import Shape
from mmos.context import PASS_ON, Answer, Context, Halt, Participant, Question
from mmos.errors import MmosError, NoHost
from mmos.messages import Message
from mmos.pattern_events import ConflictFound, MemberEnded, MemberStatus, MemberVoted, StepRolledBack
from mmos.patterns.plan import Contributor, Plan
from mmos.patterns.turns import SHARE, Turns
from mmos.scope import Hint, Scope
from mmos.views.patterns import PATTERN, PatternRun

NOT_WAITED = "it was not waited for"
GRACE = 0.25
"""The share of the time so far that late members still have, when a deadline passes with too few answers."""


@dataclass(frozen=True)
class Contribution:
    """What a member gave."""

    key: str
    """The name of this answer in the pattern."""
    member: Contributor
    status: MemberStatus = "answered"
    text: str = ""
    reasoning: str = ""
    data: Any = None
    """The value of an answer that had to fit a schema."""
    lane: str = ""
    seconds: float = 0.0
    why: str = ""
    """Why there is no answer."""

    @property
    def ok(self) -> bool:
        return self.status == "answered"


@dataclass(frozen=True)
class Outcome:
    """What came of a pattern."""

    text: str
    chosen: str = ""
    """The key of the answer that is the result, unchanged. Empty: the result was put together."""
    agreement: float | None = None
    """How much of what was counted stands behind the result."""
    dissent: Mapping[str, str] = field(default_factory=dict)
    """What members say that do not agree, by name."""
    status: str = "answered"
    """answered, or partial: less came of it than was planned, and `why` says what."""
    why: str = ""


class Form(Protocol):
    """A form of working together. Your own class has the same face: see docs/patterns.md."""

    async def run(self, work: Work) -> Outcome:
        """Work on the task, and return what came of it."""
        ...


@dataclass(frozen=True)
class Losses:
    """What nobody waits for any more, what no host has taken so far, and whom no host could serve."""

    late: set[asyncio.Task[Any] | None] = field(default_factory=set)
    placed: set[asyncio.Task[Any] | None] = field(default_factory=set)
    """What a host works on, or has worked on."""
    unserved: dict[str, NoHost] = field(default_factory=dict)
    """By the key of the answer."""


@dataclass(frozen=True)
class Work:
    """The work of one pattern on one task.

    Example::

        class Debate:
            async def run(self, work: mmos.patterns.Work) -> mmos.patterns.Outcome:
                first, second = work.plan.members[:2]
                claim = await work.ask(first, work.task, key="claim")
                answer = await work.ask(second, f"What is wrong here? {claim.text}", key="answer")
                return mmos.patterns.Outcome(answer.text)
    """

    context: Context
    plan: Plan
    message: Message
    """The task, with its files."""
    id: str
    """The id of the pattern in the run."""
    aloud: bool = True
    """Whether the result is the answer of this lane, so the user may hear it while it is written."""
    turns: Turns = field(default_factory=Turns, repr=False, compare=False)
    """Puts the members in the order that loads least."""
    losses: Losses = field(default_factory=Losses, repr=False, compare=False)

    @property
    def scope(self) -> Scope:
        return self.context.scope

    @property
    def task(self) -> str:
        """The words of the task."""
        return self.message.content

    @property
    def question(self) -> str:
        """The words of the task, without what was said before in the conversation."""
        return self.scope.exchange.messages[0].content if self.context.call == PATTERN else self.task

    @property
    def record(self) -> PatternRun:
        """What has happened so far."""
        return self.scope.view.patterns.by_id[self.id]

    async def ask(
        self,
        member: Contributor,
        text: str,
        *,
        key: str = "",
        task: str = "",
        answer: Mapping[str, Any] | None = None,
        aloud: bool = False,
        options: Mapping[str, Any] | None = None,
        files: bool = True,
    ) -> Contribution:
        """Ask a member. A member that fails gives a contribution that says why. After a crash, nobody is asked twice.

        Args:
            member: Who is asked.
            text: What it reads. The files of the task come with it, unless `files` is false.
            key: The name of this answer in the pattern. Default: the name of the member.
            task: What it does, as the trace shows it.
            answer: A JSON Schema that the answer must fit.
            aloud: Whether the user sees the answer while it is written, because it is the result.
            options: Options of the model for this answer, such as a seed.
        """
        key = key or member.name
        ended, begun = self.record.members.get(key), self.scope.clock()
        if ended is not None and ended.status in ("failed", "late") and not ended.no_host:
            return Contribution(key, member, ended.status, lane=ended.lane, seconds=ended.seconds, why=ended.why)
        if self._is_late():
            return self._failed(key, member, task, begun, "late", NOT_WAITED)
        try:
            async with self.turns.of(member.model):
                given = await self._given(member, text, key, answer, aloud=aloud, options=options, files=files)
        except MmosError as error:
            if isinstance(error, PASS_ON):
                raise
            if isinstance(error, NoHost):
                self.losses.unserved[key] = error
            return self._failed(key, member, task, begun, "late" if error.code == "tool_timeout" else "failed", error.message)
        except asyncio.CancelledError:
            if not self._is_late():  # the run is cancelled; a resumed one asks again
                raise
            return self._failed(key, member, task, begun, "late", NOT_WAITED)
        seconds, why = self.scope.clock() - begun, _fault(given)
        status: MemberStatus = "failed" if why else "answered"
        contribution = Contribution(key, member, status, given.text.strip(), given.reasoning, given.data, given.lane, seconds, why)
        return self._ended(contribution, task)

    def _is_late(self) -> bool:
        """Whether nobody waits any more for what this asyncio task does, because the deadline of the pattern has passed."""
        return asyncio.current_task() in self.losses.late

    def _failed(self, key: str, member: Contributor, task: str, begun: float, status: MemberStatus, why: str) -> Contribution:
        address = f"{self.scope.lane}/{self.context.call}/{key}"
        lane = address if (self.scope.run, address) in self.scope.conversation.lanes else ""
        return self._ended(Contribution(key, member, status, lane=lane, seconds=self.scope.clock() - begun, why=why), task)

    async def _given(
        self, member: Contributor, text: str, key: str, answer: Mapping[str, Any] | None, *,
        aloud: bool, options: Mapping[str, Any] | None, files: bool,
    ) -> Answer:  # fmt: skip
        who = member.who
        if isinstance(who, Participant) and options:
            who = replace(who, options={**who.options, **options})
        message = Message("user", text, files=self.message.files if files else ())
        shape = None if answer is None else Shape.of(answer)
        tools = () if self.plan.advise else None
        return await self._watched().put(Question(who, message, key, memory="none", tools=tools, shape=shape, aloud=aloud and self.aloud))

    def _watched(self) -> Context:
        """The context of a member. With a deadline, it notes when a host takes the request."""
        if self.plan.deadline is None:
            return self.context
        task, tell = asyncio.current_task(), self.scope.inner_listener

        def heard(hint: Hint) -> None:
            if hint.kind in ("loading", "reading"):
                self.losses.placed.add(task)
            if tell is not None:
                tell(hint)

        context = object.__new__(Context)  # the same call, so with the same halts, which a copy by `replace` would not have
        context.__dict__.update(self.context.__dict__, scope=self.scope.bind(inner_listener=heard))
        return context

    def _ended(self, contribution: Contribution, task: str) -> Contribution:
        """Record the end of a member's answer, once."""
        earlier = self.record.members.get(contribution.key)
        if earlier is not None and not earlier.no_host:
            return replace(contribution, seconds=earlier.seconds)
        lane = self.scope.conversation.lanes.get((self.scope.run, contribution.lane))
        model = lane.asked.model if lane is not None and lane.asked is not None else contribution.member.model
        host, tokens = (lane.host, lane.written) if lane is not None else ("", 0)
        self.scope.record(
            MemberEnded(
                self.id, contribution.key, contribution.member.name, model, host, contribution.status, contribution.lane,
                contribution.seconds, tokens, task or contribution.member.task, contribution.why,
                contribution.key in self.losses.unserved,
            )
        )  # fmt: skip
        if contribution.status != "answered" and not self._is_told(contribution):
            self.scope.warn_once(f"{contribution.member.name} gave the pattern {self.plan.name} no answer", contribution.why)
        return contribution

    def _is_told(self, lost: Contribution) -> bool:
        """Whether a warning says already that no host could serve this member, and why."""
        return lost.key in self.losses.unserved and any(
            warning.startswith(lost.member.name) and lost.why in warning for warning in self.scope.view.warnings
        )

    async def decide(self, text: str, key: str, task: str, **more: Any) -> Contribution:
        """What the one says who writes or chooses the answer. It has the deadline of the pattern once more."""
        said = await self.side_by_side([self.ask(self.plan.deciding, text, key=key, task=task, **more)], least=0)
        return said[0]

    async def within(self, ask: Coroutine[Any, Any, Contribution], begun: float, *, is_needed: bool, is_last: bool) -> Contribution | None:
        """The contribution of a member that works alone, in what is left of the deadline. None: nothing is left.

        `begun`: when the pattern began, by the clock of the scope. `is_needed`: there is no result so far, so members that come later
        keep half of the time.
        """
        left = None if self.plan.deadline is None else self.plan.deadline - (self.scope.clock() - begun)
        if left is not None and left <= 0:
            ask.close()
            return None
        share = 1 if left is None or is_last or not is_needed else SHARE
        given = await self.side_by_side([ask], least=int(is_needed and is_last), seconds=left and left * share)
        return given[0] if given else None

    async def side_by_side(
        self, asks: Sequence[Coroutine[Any, Any, Contribution]], *, least: int | None = None, seconds: float | None = None
    ) -> list[Contribution]:
        """The contributions of all, in their order. When the deadline of the pattern passes, those that there are must be enough.

        Args:
            asks: What `ask` returns, not awaited.
            least: The answers that are needed. With fewer, the deadline waits a little longer. Default: `min_members` of the plan.
            seconds: How long they have. Default: the deadline of the plan.
        """
        tasks = [asyncio.create_task(ask) for ask in asks]
        try:
            await self._wait(tasks, self.plan.min_members if least is None else least, seconds or self.plan.deadline)
            self.losses.late.update(task for task in tasks if not task.done())
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for fault in sorted((one for one in results if isinstance(one, BaseException)), key=lambda one: not isinstance(one, Halt)):
            if not isinstance(fault, asyncio.CancelledError):
                raise fault
        return [one for one in results if isinstance(one, Contribution)]

    async def _wait(self, tasks: Sequence[asyncio.Task[Contribution]], least: int, deadline: float | None) -> None:
        """Until all have ended, or until the deadline has passed and there are enough answers."""
        pending = set(tasks)
        if deadline is not None:
            _, pending = await asyncio.wait(pending, timeout=deadline)
            grace = deadline * GRACE
            while pending and sum(_is_there(task) for task in tasks) < least:
                done, pending = await asyncio.wait(pending, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    pending = await self._without_those_at_work(pending, deadline)
                    break
        elif pending:
            await asyncio.wait(pending)

    async def _without_those_at_work(self, pending: set[asyncio.Task[Contribution]], seconds: float) -> set[asyncio.Task[Contribution]]:
        """Let those go who keep the hosts busy, so that those get a host who had none. There are too few answers without them."""
        at_work = pending & self.losses.placed
        if not at_work or at_work == pending:
            return pending
        self.losses.late.update(at_work)
        for task in at_work:
            task.cancel()
        _, still = await asyncio.wait(pending, timeout=seconds)
        return still

    # ---------------------------------------------------------------- what it says

    def vote(self, key: str, vote: str | None, score: float | None = None, why: str = "") -> None:
        """Say how the answer with this key counts."""
        if key not in self.record.votes:
            self.scope.record(MemberVoted(self.id, key, vote, score, why))

    def abstain(self, key: str, why: str = "its answer is no vote") -> None:
        """Say that the answer with this key is no vote."""
        ended = self.record.members[key]
        if ended.status == "answered":
            self.scope.record(replace(ended, status="abstained", why=why))

    def roll_back(self, key: str, to: str, why: str) -> None:
        """Say that a step made the result worse, and from which step the sequence goes on."""
        if all(one.key != key for one in self.record.rolled_back):
            self.scope.record(StepRolledBack(self.id, key, to, why))

    def conflict(self, between: Sequence[str], about: str, resolved: str = "") -> None:
        """Say that results contradict each other."""
        conflict = ConflictFound(self.id, tuple(between), about, resolved)
        if conflict not in self.record.conflicts:
            self.scope.record(conflict)


def _is_there(task: asyncio.Task[Contribution]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and task.result().ok


def _fault(answer: Answer) -> str:
    """Why an answer is of no use. Empty: it may be used."""
    if not answer.text.strip():
        return "its answer is empty"
    return "" if answer.complete else "one of its own limits stopped it"
