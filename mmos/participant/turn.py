"""Takes one turn: it makes a prompt that fits the window, asks the model, and records the reply."""

from __future__ import annotations

import asyncio
import random
import re
import string
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from mmos.calls.channels import Channel
from mmos.calls.reading import CLEAR, QUOTED, Reading, Unclear, distinct, rescued, writable
from mmos.calls.seen import Seen
from mmos.calls.shape import Shape
from mmos.calls.tool_choice import ANSWER_ONLY, AUTO, ToolChoice
from mmos.errors import BadRequest, HostError, LacksTools, LimitReached, NoAnswer, Repetition, WindowExceeded
from mmos.events import CallRepaired, HistoryShortened, ModelAsked, Prompted, Warned
from mmos.fences import fenced
from mmos.fleet.fleet import Ask, Fleet
from mmos.hosts.face import ChatRequest
from mmos.hosts.speech import REPEATED
from mmos.messages import REPETITION, Message, Reply, Usage
from mmos.participant.eyes import Eyes
from mmos.participant.ladder import Again, Ladder
from mmos.participant.recorder import Recorder
from mmos.participant.role import Frame, Participant, Role
from mmos.plurals import counted
from mmos.prompting.budget import Gauge
from mmos.prompting.compose import Prompt, Scale, alternating, compose
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Toolbox

SETBACKS = 2
"""How many unclear replies in a row MMOS sends back to a participant."""

ANY_JSON = b'"json"'
"""The format for a host that cannot hold a model to a schema. MMOS checks the answer in any case."""

REPETITIONS = 1
"""How often in one exchange MMOS stops a participant that repeats itself and asks again."""

RECOUNTS = 3
"""How often MMOS shortens a prompt because the host counted more tokens than MMOS estimated."""


OF_SCHEMAS = re.compile(r"schema|grammar|format", re.IGNORECASE)


async def _untried(model: str, servers: tuple[str, ...]) -> str | None:  # noqa: ARG001  # the signature of `Experience.tried`
    return None


@dataclass
class Experience:
    """What an app learns about its models while it works: token counts, channels, window sizes, images."""

    gauge: Gauge = field(default_factory=Gauge)
    scale: Scale = field(default_factory=Scale)
    channels: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    """By model and the servers where it may run, because a run can give a role other servers."""
    tried: Callable[[str, tuple[str, ...]], Awaitable[str | None]] = _untried
    """The best channel for a model according to the trials on these servers. None: no trial says."""
    windows: dict[tuple[str, str], int] = field(default_factory=dict)
    """Windows that turned out smaller than asked for, by role and model."""
    sight: dict[str, bool] = field(default_factory=dict)
    """Which models see images."""
    unheld: set[tuple[str, bytes]] = field(default_factory=set)
    """Pairs of a model and a schema that the model's host refused."""
    chance: random.Random = field(default_factory=random.Random)

    def call_id(self) -> str:
        return "call_" + "".join(self.chance.choices(string.ascii_lowercase + string.digits, k=8))


@dataclass
class Listening(Recorder):
    """A request whose text the user sees while it comes. It is kept until the reply is whole."""

    channel: Channel

    def __post_init__(self) -> None:
        super().__post_init__()
        self._pieces: list[str] = []
        self._listen()

    def _listen(self) -> None:
        hint, keep = self.scope.hint, self._pieces.append
        if self.scope.listener is None:
            self.on_token = self.channel.listen(keep)
            return

        def tell(text: str) -> None:
            keep(text)
            hint("token", text)

        self.on_token = self.channel.listen(tell)

    def placed(self, host: str, cold: bool) -> None:
        self.scope.hint("loading" if cold else "reading", host)

    def failed(self, host: str, error: HostError) -> None:
        if isinstance(error, Repetition):
            return  # what came before it is a reply
        super().failed(host, error)
        self._listen()  # the next attempt starts from the beginning
        self.scope.hint("restart", error.message)

    def takes(self, error: HostError) -> bool:
        reply = rescued(error, self.asked.model) if self.channel.tools else None
        return reply is not None and bool(self.channel.read(reply).message.calls)

    def heard(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        return text


@dataclass(frozen=True)
class Turn:
    """One question to the model of a participant."""

    fleet: Fleet
    experience: Experience
    participant: Participant
    scope: Scope
    eyes: Eyes
    ladder: Ladder | None = None
    """Repairs an unclear reply before MMOS sends it back."""
    shape: Shape | None = None
    """The schema of the final answer."""

    @property
    def role(self) -> Role:
        return self.participant.role

    @property
    def _templates(self) -> Templates:
        return self.eyes.templates

    async def take(self) -> None:
        """Ask the model and record the reply. If the model turns out to lack tools, the app uses the schema channel for it from then on."""
        self.scope.check_budget()
        frame = await self._frame()
        if images := await self.eyes.look(self.participant, self.scope.exchange):
            frame = replace(frame, images=images)
        try:
            await self._ask_recounting(frame)
        except LacksTools:
            if frame.channel.name == "schema" or self.role.channel:
                raise
            self.experience.channels[self._place] = "schema"
        except BadRequest as error:
            if self.shape is None or frame.channel.format != self.shape.format or not OF_SCHEMAS.search(error.message):
                raise
            self.experience.unheld.add((self.role.model, self.shape.format))

    async def _frame(self) -> Frame:
        """A role with tools works freely until it answers, and only then is held to the schema. A role without tools is held to it at once."""
        channel = await self._channel() if self.participant.box else "tools"
        if self.shape is None or (self.participant.box and not self.scope.exchange.reshaped):
            return self.participant.frame(channel, self._box, self._choice())
        unheld = (self.role.model, self.shape.format) in self.experience.unheld
        return self.participant.shaped(channel, self._box, ANY_JSON if unheld else self.shape.format)

    @property
    def _box(self) -> Toolbox:
        """The tools of this turn."""
        return self.participant.box.without(self.scope.view.withheld.get(self.scope.lane, ()))

    def _choice(self) -> ToolChoice:
        """A role that must consult first may not answer before a consultation succeeded. Its last turn is kept for the answer."""
        first = self.participant.first
        if first is None:
            return AUTO
        calls = self.scope.calls_left
        if self.scope.turns_left == 1 or calls == 0:
            return ANSWER_ONLY
        if any(message.role == "tool" and message.tool_name in (first.only or ()) for message in self.scope.exchange.messages):
            return AUTO
        return first if calls is None else replace(first, least=min(first.least, calls), most=min(first.most, calls))

    async def _channel(self) -> str:
        """The channel from the configuration, or from a trial. Default: `tools`, and `schema` when the host says that the model has no tools."""
        known = self.role.channel or self.experience.channels.get(self._place)
        if known is None:
            known = await self.experience.tried(*self._place) or await self._able()
            self.experience.channels[self._place] = known
        return known

    async def _able(self) -> str:
        described = await self.fleet.describe(*self._place)
        capable = described is None or described.capabilities is None or "tools" in described.capabilities
        return "tools" if capable else "schema"

    @property
    def _place(self) -> tuple[str, tuple[str, ...]]:
        return self.role.model, self.role.servers

    async def _ask_recounting(self, frame: Frame) -> None:
        """When the host counts more tokens than MMOS estimated, take its count and make the prompt again."""
        for recounted in range(RECOUNTS + 1):
            prompt = self._compose(frame)
            try:
                await self._ask(frame, prompt)
            except WindowExceeded as error:
                if error.prompt_tokens is None or recounted == RECOUNTS:
                    raise
                self.experience.gauge.correct(self.role.model, prompt.weight, error.prompt_tokens)
                self.experience.windows[self.role.name, self.role.model] = min(self._window, error.window or self._window)
            else:
                return

    @property
    def _window(self) -> int:
        return self.experience.windows.get((self.role.name, self.role.model), self.role.window)

    def _tokens(self, weight: float) -> int:
        return self.experience.gauge.tokens(self.role.model, weight)

    def _compose(self, frame: Frame) -> Prompt:
        scope, lane = self.scope, self.scope.exchange
        skip, scale, overhead = lane.history.skipped, self.experience.scale, frame.overhead + frame.images
        prompt = compose(frame.system, lane, scale, window=self._window, overhead=overhead, skip=skip, tokens=self._tokens)
        if prompt.skipped > skip:
            scope.record(HistoryShortened(scope.lane, self.role.name, prompt.skipped, lane.past - prompt.skipped))
        return prompt

    # ---------------------------------------------------------------- the model is asked

    async def _ask(self, frame: Frame, prompt: Prompt) -> None:
        scope, role, channel = self.scope, self.role, frame.channel
        estimate = self._tokens(prompt.weight)
        asked = ModelAsked(Recorder.name(scope), scope.lane, role.name, role.model, role.window, estimate, frame.digest, channel.name)
        recorder = Listening(scope, asked, channel)
        ask = Ask(self._request(frame, prompt), role.servers, f"{scope.thread}/{role.name}", observer=recorder)
        reply = await self._reply(recorder, ask)
        reading = writable(self._read(channel, reply))
        self._release(recorder.heard(), reading)
        if reading.suspect and self.ladder is not None:
            reading = await self._clearer(recorder, reply, reading, self.ladder)
        message = distinct(reading.message, scope.view.called.__contains__, self.experience.call_id)
        recorder.replied(reply, message)
        self._count(frame, prompt, estimate, reply)
        self._settle(reading, message, stopped=reply.done_reason == REPETITION)
        if scope.view.repetitions[scope.lane] > REPETITIONS:
            raise self._repeating()

    def _read(self, channel: Channel, reply: Reply) -> Reading:
        if reply.done_reason != REPETITION:
            return channel.read(reply, Seen(self.scope.exchange.known()))
        return Reading(reply.message, Unclear("repeated_text"))

    def _repeating(self) -> LimitReached:
        shown = f"`mmos runs show {self.scope.run}` shows what it wrote."
        return LimitReached(
            f"{self.role.name} ({self.role.model}) repeated itself word for word. MMOS asked it to stop, and it did so again.",
            limit="repetition",
            next_step=f"{shown} {REPEATED[1]} If you want the repetition, set limits.repetition: true.",
        )

    def _release(self, told: str, reading: Reading) -> None:
        """Pass on the text that the listener held back because it looked like the start of a call."""
        content = reading.message.content
        if len(content) > len(told) and content.startswith(told):
            self.scope.hint("token", content[len(told) :])

    async def _reply(self, recorder: Listening, ask: Ask) -> Reply:
        """The fleet's reply, or what can be used of a failed one."""
        try:
            return await recorder.serve(self.fleet, ask)
        except Repetition as error:
            recorder.heard()
            return self._before(error, recorder.channel)
        except HostError as error:
            reply = rescued(error, self.role.model)  # MMOS may read what the host could not parse
            if reply is None or not recorder.channel.tools:
                raise
            recorder.heard()
            return reply

    def _before(self, error: Repetition, channel: Channel) -> Reply:
        """The text before the repetition, as a reply."""
        self.scope.hint("restart", error.message)
        self.scope.warn(f"{self.role.name}: {error.message}")
        content: list[str] = []
        channel.listen(content.append)(error.partial)
        message = Message("assistant", "".join(content))
        return Reply(message, self.role.model, error.host, Usage(output_tokens=error.tokens), REPETITION)

    def _request(self, frame: Frame, prompt: Prompt) -> ChatRequest:
        role, channel = self.role, frame.channel
        messages = [channel.shape(self.eyes.shown(message, self.participant) if message.files else message) for message in prompt.messages]
        return ChatRequest(
            role.model, alternating(messages) if prompt.doubled else messages, role.window, tools=channel.tools, format=channel.format,
            options={"num_predict": self._window, **role.options}, think=role.think, keep_alive=role.keep_alive,
            guarded=not self.scope.limits.repetition,
        )  # fmt: skip

    # ---------------------------------------------------------------- a reply that is unclear

    async def _clearer(self, recorder: Recorder, reply: Reply, reading: Reading, ladder: Ladder) -> Reading:
        """The reply as the ladder repairs it. It is recorded only afterwards, so after a crash no unclear reply counts as an answer."""
        scope, choice = self.scope, self._choice()
        allowed = {spec.name for spec in choice.allowed(self._box.specs)}
        box = self._box.without([name for name in self._box.names if name not in allowed])
        try:
            clear = await ladder.climb(scope, box, reading, self._again(reading, ladder, choice))
        except asyncio.CancelledError:
            recorder.ended(reply.host, "cancelled", "The call was cancelled while MMOS tried to read its reply.")
            raise
        if clear is not reading and not clear.message.calls:  # the user has seen a different answer stream by
            scope.hint("restart", self._templates.worded(reading.unclear))
            scope.hint("token", clear.message.content)
        return clear

    def _again(self, reading: Reading, ladder: Ladder, choice: ToolChoice) -> Again | None:
        """This turn once more, with a grammar that allows only JSON. None when the turn already had one."""
        box = self._box
        if not box or (self.role.channel or self.experience.channels.get(self._place)) == "schema":
            return None
        frame = self.participant.frame("schema", box, choice)
        said, unclear = reading.message.content.strip(), self._templates.worded(reading.unclear)
        if said:
            unclear = self._templates.fill("you_wrote", text=fenced(said), unclear=unclear)
        try:
            prompt = self._compose(frame)
        except WindowExceeded:
            return None
        request = self._request(frame, prompt)
        words = Message("user", ladder.templates.fill("again", unclear=unclear))
        return Again(self.role, replace(request, messages=alternating([*request.messages, words])), frame.channel)

    # ---------------------------------------------------------------- after the reply

    def _is_said_again(self, message: Message) -> bool:
        """Whether the reply equals the previous one word for word. Then asking again does not help."""
        before = [earlier for earlier in self.scope.exchange.messages[:-1] if earlier.role == "assistant"][-1:]
        return bool(message.content.strip()) and bool(before) and before[0].content == message.content

    def _count(self, frame: Frame, prompt: Prompt, estimate: int, reply: Reply) -> None:
        """Correct the gauge by the host's count. Warn when the count says that the host cut the prompt."""
        read, window = reply.usage.prompt_tokens, self._window
        if reply.done_reason == "length" and not reply.calls:
            self.scope.record(Warned(f"{self.role.name}: its answer was cut off after {counted(reply.usage.output_tokens, 'token')}"))
        if estimate > window // 2 and read in range(window // 2, window // 2 + 5):
            text = f"{reply.host} counted {read} tokens of a prompt of about {estimate}: it may have cut it to fit {window}"
            self.scope.record(Warned(f"{self.role.name}: {text}"))
            return
        if not frame.images:  # the count would include the images, and the weight does not
            self.experience.gauge.learn(self.role.model, prompt.weight, read)

    def _settle(self, reading: Reading, message: Message, *, stopped: bool) -> None:
        """Record the repairs. Send an unclear reply back. When that has not helped, prose counts as the answer and anything without prose fails."""
        scope = self.scope
        call = message.calls[0].id if len(message.calls) == 1 else ""
        for repair in reading.repairs:
            scope.record(CallRepaired(call, scope.lane, repair.stage, repair.what))
        if reading.quoted:
            tools = ", ".join(reading.quoted)
            scope.warn(f"{scope.role} quoted a call ({tools}) from a text that it read. MMOS did not make the call.")
        if reading.unclear in (CLEAR, QUOTED):  # a quotation counts as an answer unless the participant meant a call
            return
        unclear = self._templates.worded(reading.unclear)
        if message.calls:  # the results must follow the calls directly
            scope.record(Warned(f"{scope.role}: MMOS could not read a part of its reply: {unclear}"))
            return
        text = message.content.lstrip()
        useless = stopped or not text or text[0] in "{[<"  # half a call is no answer, but prose may be one
        setbacks = SETBACKS if not stopped and self._is_said_again(message) else scope.exchange.setbacks
        if useless or setbacks < SETBACKS:
            scope.record(Prompted(scope.lane, scope.role, Message("user", unclear)))
        if useless and setbacks >= SETBACKS:
            raise NoAnswer(f"{scope.role} ({self.role.model}) gave no answer that could be read, {scope.exchange.setbacks} times in a row.")
