"""Defines the context of a running tool: how it asks participants and the user, and how it does a step only once."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, get_args

import orjson

from mmos.answers import fit
from mmos.calls.shape import Shape
from mmos.config.scalars import seconds_of
from mmos.errors import LimitReached, MmosError, QuestionOpen, QuestionUnanswered, StateError, ToolError, UsageError
from mmos.events import Form, StepFinished
from mmos.messages import File, Message, ToolCall, clean
from mmos.names import pattern_named
from mmos.placement.forecasting import Order
from mmos.scope import Scope
from mmos.threads import on_thread
from mmos.views.run import REFERENCE

_KEY = re.compile(r"[^/\s\x00-\x1f\x7f]{1,80}")

_MEMORY = re.compile(r"thread|none|(?:conversation|lane):\S{1,2000}")

PASS_ON = (LimitReached, QuestionOpen, QuestionUnanswered, StateError)
"""Errors that no model and no tool can fix. They end or pause the run."""

Result = TypeVar("Result")


class Halt(BaseException):
    """Ends the call of a tool, because the run pauses or ends. It is no `Exception`, so no retry and no `except Exception` of the tool stops it."""

    def __init__(self, error: MmosError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class Answer:
    """The answer of a participant."""

    text: str
    reasoning: str = ""
    complete: bool = True
    """False when one of its own limits stopped it before it was done."""
    data: Any = None
    """The JSON value of an answer that had to fit a schema."""
    lane: str = ""
    """The address of the exchange in the run. Empty for the answer to the user."""


@dataclass(frozen=True)
class UserQuestion:
    """A question for the user, from a tool.

    Example::

        question = mmos.UserQuestion("Which color?", "choice", ("red", "blue"), default="red")
    """

    text: str
    form: Form = "text"
    """What the answer is: a "text", a "choice", "confirm" (yes or no), a "number", or a "file"."""
    options: tuple[str, ...] = ()
    """The options of a choice. The user may also write something different."""
    default: str | None = None
    """The answer when the user is not there and the run may take defaults, or when the deadline has passed. A file has none."""
    deadline: float | str | None = None
    """How long MMOS waits for an answer: seconds, or a text like "10m" or "2d". Kept as seconds. None: without an end."""

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise UsageError(f"{self.form!r} is no form of a question.", next_step=f"Forms: {', '.join(get_args(Form))}.")
        object.__setattr__(self, "options", tuple(self.options))
        if self.deadline is not None:
            object.__setattr__(self, "deadline", _seconds(self.deadline))
        if self.default is not None:
            object.__setattr__(self, "default", self._fitting_default(self.default))

    def _fitting_default(self, default: str) -> str:
        if self.form == "file":
            raise UsageError("A question for a file has no default.")
        fitting = fit(self.form, default, self.options)
        if fitting is None:
            needed = {"number": "a number", "confirm": "yes or no"}[self.form]
            raise UsageError(f"The default of this question must be {needed}, and it is {default[:80]!r}.")
        return fitting


class UserAnswer(str):
    """What the user answered. It is a text; for a file, the text of the file.

    `by` says who gave it: "user", "default", or "deadline" when nobody answered in time and this is the default. `file` is the file, if
    the question asked for one.
    """

    __slots__ = ("by", "file")
    by: str
    file: File | None

    def __new__(cls, text: str, by: str = "user", file: File | None = None) -> UserAnswer:
        answer = super().__new__(cls, text if file is None else file.text)
        answer.by, answer.file = by, file
        return answer


@dataclass(frozen=True)
class Participant:
    """A participant that a tool makes for its own questions. It is not in the configuration.

    Example::

        judge = mmos.Participant("judge", "qwen2.5:14b", system="Say which answer is right.", options={"temperature": 0})

        @mmos.tool
        async def compare(context: mmos.Context, one: str, other: str) -> str:
            "Let a judge choose between two answers."
            return (await context.ask(judge, f"Answer A: {one} Answer B: {other}")).text
    """

    name: str
    model: str
    system: str = ""
    servers: tuple[str, ...] = ()
    """The hosts where it may run. Empty: all that have the model."""
    tools: tuple[Any, ...] = ()
    """Functions, and names of tools of the app."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the model, such as `temperature`."""
    window: int = 0
    """Its context window. 0: the window that the configuration gives this model. Another window reloads the model."""
    channel: str | None = None
    """How it is offered tools: "tools" or "schema". None: MMOS chooses."""
    think: bool | str | None = None
    """Whether it thinks, or a level such as "low". None: as its model does."""
    keep_alive: str | float | None = None
    """How long the host keeps the model: seconds, or a text like "10m". None: as the host does."""
    timeout: float | None = None
    """Seconds until its answer is too late."""
    others: tuple[str, ...] = ()
    """Models that answer when no host can serve `model`, in this order."""

    @property
    def pattern(self) -> str:
        """The pattern that answers, if `model` is `pattern:NAME`."""
        return pattern_named(self.model)


@dataclass(frozen=True)
class Question:
    """A question to a participant, from a tool."""

    who: str | Participant
    message: Message
    key: str
    named: bool = False
    """Whether the tool chose the key. Otherwise MMOS counted the questions."""
    memory: str = ""
    tools: tuple[Any, ...] | None = None
    shape: Shape | None = None
    seconds: float | None = None
    must_call: bool = False
    """Whether the participant must call one of its tools before it answers."""
    prose: bool = False
    """Whether a text in place of that call is taken, too. A grammar, where there is one, still allows the call alone."""
    beside: bool = False
    """Whether `tools` come beside those that a role has. Only its own may need the approval of the user then."""
    aloud: bool = False
    """Whether the user sees it being answered, because it is the answer of the run."""
    turns: int | None = None
    """How many turns it may take. None: as many as any participant."""
    model: str = ""
    """The model that answers in place of the role's own."""
    servers: tuple[str, ...] = ()
    """Where that model may run."""

    @property
    def name(self) -> str:
        """The name of who is asked."""
        return self.who if isinstance(self.who, str) else self.who.name


class Room(Protocol):
    """What a running tool can reach: other participants, and the user."""

    async def ask(self, scope: Scope, question: Question, *, call: str) -> Answer: ...
    async def ask_user(self, scope: Scope, question: UserQuestion, *, call: str) -> UserAnswer: ...
    def slots(self, who: str | Participant) -> int:
        """How many requests to a participant its hosts take at the same time."""
        ...

    async def order(self, whos: Iterable[str | Participant], joiner: str) -> Order:
        """When a model should be asked that is asked once more when all of these participants have answered, so that hosts load least."""
        ...

    async def interpret(self, scope: Scope, text: str, *, role: str) -> tuple[ToolCall, ...] | str:
        """The calls of a role's tools that the text means, or the reason why there are none."""
        ...


@dataclass(frozen=True)
class Context:
    """What a running tool may reach: the user's task, the participants, and the user.

    A function gets it as a parameter with this annotation. Models do not see that parameter.

    Example::

        @mmos.tool(description="Ask the coding specialist whether a claim is true.")
        async def second_opinion(context: mmos.Context, claim: str) -> str:
            answer = await context.ask("coding", f"Is this true? {claim}")
            return answer.text
    """

    scope: Scope
    room: Room
    call: str
    """The id of the call that is running."""
    version: int = 0
    """Whether a recovery makes the call with other arguments. What was done with the ones before is not done with these."""
    _questions: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)
    _under_way: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    halts: list[MmosError] = field(default_factory=list, init=False, repr=False, compare=False)
    """Why the run pauses or ends. The executor looks here, because the tool may have caught the error."""

    def __repr__(self) -> str:
        return f"Context(role={self.scope.role!r}, call={self.call!r}, run={self.scope.run!r})"

    @property
    def task(self) -> str:
        """The user's task, word for word."""
        return self.scope.view.task

    @property
    def told(self) -> Message:
        """The user's task as participants are told it. A task that is larger than a window is told by the notes on its parts."""
        return self.scope.view.divisions.told(self.scope.view)

    @property
    def files(self) -> tuple[File, ...]:
        """The files that the user attached to the task."""
        return self.scope.view.files

    @property
    def effect_id(self) -> str:
        """The id of this call in all runs. It stays the same when the run is resumed. Pass it on where a service takes an idempotency key.

        A call that is made again with other arguments has another id.
        """
        return self._of_version(f"{self.scope.run}/{self.call}")

    def _of_version(self, name: str) -> str:
        return f"{name}@{self.version}" if self.version else name

    def expanded(self, text: str) -> str:
        """The whole answer behind a reference (`artifact:…`) in `text`. Without a reference, the text itself."""
        artifacts = self.scope.view.artifacts
        return next((artifacts[name].text for name in REFERENCE.findall(text) if name in artifacts), text)

    async def ask(
        self,
        who: str | Participant,
        message: Message | str,
        *,
        key: str = "",
        memory: str = "",
        tools: Iterable[Any] | None = None,
        answer: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Ask a participant. Its answer has `text`, `reasoning`, `complete` (False when a limit stopped it), and `data`.

        You may ask several side by side. After a crash or a pause your function runs again from its beginning: a question that already
        has its answer gets that answer, and no model is asked. An error goes to the calling model unless you catch it.

        Args:
            who: A role, or a `Participant`.
            message: The question.
            key: The name of this question in your function. Default: the name of who is asked and a count.
            memory: What it remembers: "thread" (its earlier exchanges in this thread), "none", "conversation:ID" (its exchanges in that
                conversation), or "lane:ADDRESS" (all of another lane of this run). Default: "thread" for a role, "none" for a `Participant`.
            tools: Functions, and names of tools, that it may call. Default: its own.
            answer: A JSON Schema that the answer must fit. `data` is then its value.
            seconds: The longest time that it may take. Default: the `timeout` of the role.
        """
        if isinstance(message, str):
            message = Message("user", clean(message))
        question = Question(
            who, message, self._of_version(_valid(key)) if key else self._next_key(who), bool(key), self._memory(memory or ("thread" if isinstance(who, str) else "none")),
            None if tools is None else tuple(tools), None if answer is None else Shape.of(answer), seconds,
        )  # fmt: skip
        return await self._result(self.room.ask(self.scope, question, call=self.call))

    async def ask_model(
        self, role: str, message: Message, key: str, model: str, servers: tuple[str, ...], *, memory: str = "none"
    ) -> Answer:
        """Ask a role with another model than its own. Its lane has this key."""
        question = Question(role, message, self._of_version(key), named=True, memory=self._memory(memory), model=model, servers=servers)
        return await self._result(self.room.ask(self.scope, question, call=self.call))

    async def put(self, question: Question) -> Answer:
        """Ask as the question says. Its key is a name in this call."""
        question = replace(question, key=self._of_version(_valid(question.key)), named=True)
        return await self._result(self.room.ask(self.scope, question, call=self.call))

    def _next_key(self, who: str | Participant) -> str:
        name = who if isinstance(who, str) else who.name
        self._questions[name] += 1
        return name if self._questions[name] == 1 else f"{name}-{self._questions[name]}"

    def _memory(self, memory: str) -> str:
        kind, _, name = memory.partition(":")
        if kind == "lane" and (self.scope.run, name) not in self.scope.conversation.lanes:
            raise ToolError(f"There is no lane {name!r} in this run.")
        if not _MEMORY.fullmatch(memory):
            raise ToolError(f"{memory!r} is no memory: write thread, none, conversation:ID or lane:ADDRESS.")
        return memory

    async def step(self, key: str, function: Callable[[], Any]) -> Any:
        """Call a function once and return its result, which must have a form in JSON. MMOS keeps it, so a resumed run does not call it again.

        A step that a crash cuts off is done again if the call is: see `after_crash`.

        Args:
            key: The name of the step in your function.
            function: A function without parameters, sync or async.
        """
        key = self._of_version(_valid(key))
        step = self.scope.view.steps.get((self.call, key))
        if step is None:
            if key in self._under_way:
                raise ToolError(f"The step {key} is already under way.")
            self._under_way.add(key)
            try:
                value = _as_json(await invoke(function))
            finally:
                self._under_way.discard(key)
            step = StepFinished(self.call, self.scope.lane, key, value)
            self.scope.record(step)
            await self.scope.durable()
        return step.value

    async def interpret(self, text: str, role: str = "") -> tuple[ToolCall, ...] | str:
        """The calls that an unclear text means. When there are none, a text that says why.

        Args:
            text: What a model wrote.
            role: The role whose tools the calls may use. Default: the role that made this call.
        """
        return await self._result(self.room.interpret(self.scope, text, role=role or self.scope.role))

    async def ask_user(self, question: UserQuestion) -> UserAnswer:
        """Ask the user a `question` and return the answer: a text with `by` (who gave it) and `file`.

        If nobody answers until the deadline and there is no default, `ToolError` is raised.
        If the run pauses until the user answers, your function runs again from its beginning when the run is resumed.
        """
        return await self._result(self.room.ask_user(self.scope, question, call=self.call))

    async def _result(self, work: Awaitable[Result]) -> Result:
        """The result of the work. If the run pauses or ends, the call of the tool ends here."""
        try:
            return await work
        except PASS_ON as error:
            self.halts.append(error)
            raise Halt(error) from None


async def invoke(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    """Call a function, sync or async, and return its result. A sync function runs on a thread, so it may block."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments, **keywords)
    result = await on_thread(function, *arguments, **keywords)
    return await result if inspect.isawaitable(result) else result


def _seconds(deadline: float | str) -> float:
    seconds = seconds_of(deadline.strip() if isinstance(deadline, str) else str(deadline), units=("ms", "s", "m", "h", "d", "w"))
    if seconds is None:
        raise UsageError(f"{str(deadline)[:80]!r} is no deadline.", next_step='Write seconds, or a duration such as "30s", "10m" or "2d".')
    return seconds


def _valid(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ToolError(f"{key[:80]!r} is no key: a key has up to 80 characters, without blanks and '/'.")
    return key


def _as_json(value: Any) -> Any:
    try:
        return orjson.loads(orjson.dumps(value))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError) as error:
        raise ToolError(f"The result of a step has no form in JSON: {error}.") from error
