"""One turn: the prompt as it fits, the question to the model, and what it said as facts."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field

from mmos.calls.reading import Reading, distinct, writable
from mmos.errors import HostError, LacksTools, NoAnswer, WindowExceeded
from mmos.events import CallRepaired, HistoryShortened, ModelAsked, ModelFailed, ModelReplied, Prompted, Warned
from mmos.fleet.fleet import Ask, Fleet
from mmos.hosts.face import ChatRequest, OnToken
from mmos.messages import Message, Reply
from mmos.participant.role import Frame, Participant, Role
from mmos.prompting.budget import Gauge
from mmos.prompting.compose import Prompt, Scale, compose
from mmos.scope import Scope

SETBACKS = 2
"""How many unclear turns in a row a participant is set right after."""

RECOUNTS = 3
"""How often a prompt is made anew because its host counted more tokens than we did."""


@dataclass
class Experience:
    """What an app learns of its models while it works: how they count, which channel serves them, what they have outgrown."""

    gauge: Gauge = field(default_factory=Gauge)
    scale: Scale = field(default_factory=Scale)
    channels: dict[str, str] = field(default_factory=dict)
    """By model: a run may give a role another one."""
    windows: dict[tuple[str, str], int] = field(default_factory=dict)
    """Windows that turned out smaller than asked for, by role and model."""
    skips: dict[tuple[str, str], int] = field(default_factory=dict)
    """For each thread and role, how many of the oldest exchanges its prompts leave out."""
    chance: random.Random = field(default_factory=random.Random)

    def call_id(self) -> str:
        return "call_" + "".join(self.chance.choices(string.ascii_lowercase + string.digits, k=8))


@dataclass(frozen=True)
class Turn:
    """One question to a participant's model."""

    fleet: Fleet
    experience: Experience
    participant: Participant
    scope: Scope

    @property
    def role(self) -> Role:
        return self.participant.role

    async def take(self) -> None:
        """Ask, and write down what came of it; a model that turns out to lack tools is asked in schema mode from then on."""
        self.scope.check_budget()
        box = self.participant.box.without(self.scope.view.withheld.get(self.scope.lane, ()))
        frame = self.participant.frame(await self._channel() if self.participant.box else "tools", box)
        try:
            await self._ask_recounting(frame)
        except LacksTools:
            if frame.channel.name == "schema" or self.role.channel:
                raise
            self.experience.channels[self.role.model] = "schema"

    async def _channel(self) -> str:
        """`tools` when the host says that the model can, `schema` when not; the configuration's word goes first."""
        known = self.role.channel or self.experience.channels.get(self.role.model)
        if known is None:
            described = await self.fleet.describe(self.role.model, self.role.servers)
            capable = described is None or described.capabilities is None or "tools" in described.capabilities
            known = self.experience.channels[self.role.model] = "tools" if capable else "schema"
        return known

    async def _ask_recounting(self, frame: Frame) -> None:
        """Where the host counts more than we did, its count is believed and the prompt made anew."""
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
        scope, key = self.scope, (self.scope.thread, self.role.name)
        skip = self.experience.skips.get(key, 0)
        lane, scale = scope.exchange, self.experience.scale
        prompt = compose(frame.system, lane, scale, window=self._window, overhead=frame.overhead, skip=skip, tokens=self._tokens)
        if prompt.skipped > skip:
            self.experience.skips[key] = prompt.skipped
            scope.record(HistoryShortened(scope.lane, self.role.name, prompt.skipped, lane.past - prompt.skipped))
        return prompt

    # ---------------------------------------------------------------- the model is asked

    async def _ask(self, frame: Frame, prompt: Prompt) -> None:
        scope, role, channel = self.scope, self.role, frame.channel
        ask, estimate = f"a{scope.view.asked + 1}", self._tokens(prompt.weight)
        scope.record(ModelAsked(ask, scope.lane, role.name, role.model, role.window, estimate, frame.digest, channel.name))
        scope.hint("turn")
        begun = scope.clock()
        reply = await self._heard(ask, frame, prompt)
        reading = writable(channel.read(reply))
        message = distinct(reading.message, scope.view.called.__contains__, self.experience.call_id)
        seconds = round(scope.clock() - begun, 6)
        scope.record(ModelReplied(ask, scope.lane, role.name, role.model, reply.host, message, reply.usage, reply.done_reason, seconds))
        self._count(prompt, estimate, reply)
        self._settle(reading)

    async def _heard(self, ask: str, frame: Frame, prompt: Prompt) -> Reply:
        """Pieces are passed on as hints and kept until the reply is whole; what had come of a broken one is written down."""
        scope, role = self.scope, self.role
        heard: list[str] = []
        listen = self._listener(frame, heard.append)

        def failed(host: str, code: str, detail: str) -> None:
            scope.record(ModelFailed(ask, scope.lane, role.name, role.model, host, code, detail, "".join(heard)))
            heard.clear()

        def observe(host: str, error: HostError) -> None:
            nonlocal listen
            listen = self._listener(frame, heard.append)  # the next attempt writes its own beginning
            failed(host, error.code, error.message)
            scope.hint("restart", error.message)

        def hear(piece: str) -> None:
            listen(piece)

        on_token = hear if frame.channel.stateful else listen
        request = self._request(frame, prompt)
        session = f"{scope.thread}/{role.name}"
        try:
            return await self.fleet.serve(Ask(request, role.servers, session, on_token=on_token, observe=observe))
        except asyncio.CancelledError:
            failed("", "cancelled", "The call was cancelled.")
            raise

    def _listener(self, frame: Frame, keep: Callable[[str], None]) -> OnToken:
        hint = self.scope.hint
        if self.scope.listener is None:
            return frame.channel.listen(keep)

        def tell(text: str) -> None:
            keep(text)
            hint("token", text)

        return frame.channel.listen(tell)

    def _request(self, frame: Frame, prompt: Prompt) -> ChatRequest:
        role, channel = self.role, frame.channel
        messages = [channel.shape(message) for message in prompt.messages]
        return ChatRequest(
            role.model, messages, role.window, tools=channel.tools, format=channel.format,
            options={"num_predict": self._window, **role.options}, think=role.think, keep_alive=role.keep_alive,
        )  # fmt: skip

    # ---------------------------------------------------------------- what follows from the reply

    def _count(self, prompt: Prompt, estimate: int, reply: Reply) -> None:
        """The host's count teaches the gauge; one that says that the prompt was cut is told."""
        counted, window = reply.usage.prompt_tokens, self._window
        if reply.done_reason == "length" and not reply.calls:
            self.scope.record(Warned(f"{self.role.name}: its answer was cut off after {reply.usage.output_tokens} tokens"))
        if estimate > window // 2 and counted in range(window // 2, window // 2 + 5):
            text = f"{reply.host} counted {counted} tokens of a prompt of about {estimate}: it may have cut it to fit {window}"
            self.scope.record(Warned(f"{self.role.name}: {text}"))
            return
        self.experience.gauge.learn(self.role.model, prompt.weight, counted)

    def _settle(self, reading: Reading) -> None:
        """Repairs are told; an unclear turn is set right, or stands as it is when that has not helped."""
        scope = self.scope
        for repair in reading.repairs:
            scope.record(CallRepaired("", scope.lane, repair.stage, repair.what))
        if not reading.unclear:
            return
        text = reading.message.content.lstrip()
        useless = not text or text.startswith("{")  # half a JSON object is no answer to anybody; prose may be
        setbacks = scope.exchange.setbacks
        if useless or setbacks < SETBACKS:
            scope.record(Prompted(scope.lane, scope.role, Message("user", reading.unclear)))
        if useless and setbacks >= SETBACKS:
            raise NoAnswer(f"{scope.role} ({self.role.model}) gave no answer that could be read, {SETBACKS + 1} times in a row.")
