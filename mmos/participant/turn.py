"""Takes one turn: it makes a prompt that fits the window, asks the model, and records the reply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from mmos.calls.channels import Channel
from mmos.calls.reading import CLEAR, QUOTED, Reading, Unclear, distinct, rescued, writable
from mmos.calls.seen import Seen
from mmos.calls.shape import Shape
from mmos.calls.tool_choice import ANSWER_ONLY, AUTO, ToolChoice
from mmos.errors import BadRequest, HostError, LacksTools, LimitReached, NoAnswer, Repetition, WindowExceeded
from mmos.events import CallRepaired, HistoryShortened, ModelAsked, ModelLearned, Prompted, Warned
from mmos.fences import fenced
from mmos.hosts.speech import REPEATED
from mmos.messages import REPETITION, Message, Reply, Usage
from mmos.names import canonical
from mmos.participant.cast import Member, Offer, Role
from mmos.participant.experience import Experience
from mmos.participant.eyes import Eyes, Sight
from mmos.participant.ladder import Again, Ladder
from mmos.participant.models import Asking, Models
from mmos.participant.recorder import Recorder
from mmos.plurals import counted
from mmos.prompting.budget import estimate
from mmos.prompting.compose import Plan, compose
from mmos.prompting.frame import Frame
from mmos.prompting.request import request_of
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Toolbox

SETBACKS = 2
"""How many unclear replies in a row MMOS sends back to a participant."""

ANY_JSON = b'"json"'
"""The format for a host that cannot hold a model to a schema. MMOS checks the answer in any case."""

REPETITIONS = 1
"""How often in one exchange MMOS stops a participant that repeats itself and asks again."""

OF_SCHEMAS = re.compile(r"schema|grammar|format", re.IGNORECASE)


@dataclass
class Listening(Recorder):
    """A request whose text the user sees while it comes. It is kept until the reply is whole."""

    channel: Channel
    plan: Plan

    def __post_init__(self) -> None:
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
        reply = self._unparsed(error)
        return reply is not None and bool(self.channel.read(reply).message.calls)

    def rescued(self, error: HostError) -> Reply | None:
        reply = self._before(error) if isinstance(error, Repetition) else self._unparsed(error)
        if reply is not None:
            self.heard()
        return reply

    def _unparsed(self, error: HostError) -> Reply | None:
        """A reply with calls that the host could not parse. MMOS may read it."""
        return rescued(error, self.asked.model) if self.channel.tools else None

    def _before(self, error: Repetition) -> Reply:
        """The text before the repetition."""
        self.scope.hint("restart", error.message)
        self.scope.warn(f"{self.asked.role}: {error.message}")
        content: list[str] = []
        self.channel.listen(content.append)(error.partial)
        message = Message("assistant", "".join(content))
        return Reply(message, self.asked.model, error.host, Usage(output_tokens=error.tokens), REPETITION)

    def heard(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        return text


@dataclass(frozen=True)
class Turn:
    """One question to the model of a participant."""

    models: Models
    experience: Experience
    member: Member
    scope: Scope
    eyes: Eyes
    ladder: Ladder | None = None
    """Repairs an unclear reply before MMOS sends it back."""
    shape: Shape | None = None
    """The schema of the final answer."""

    @property
    def role(self) -> Role:
        return self.member.role

    @property
    def _templates(self) -> Templates:
        return self.member.templates

    async def take(self) -> None:
        """Ask the model and record the reply. If the model turns out to lack tools, the app uses the schema channel for it from then on."""
        self.scope.check_turns()
        channel = await self._channel() if self.member.box else "tools"
        sight = await self.eyes.look(self.member, self.scope.exchange)
        try:
            await self._ask(channel, sight)
        except LacksTools:
            if channel == "schema" or self.role.channel:
                raise
            described = await self.models.describe(*self._place)
            self._learn(servers=self.role.servers, channel="schema", digest=described.digest if described else "")
        except BadRequest as error:
            if not self._shaped or self._format != self._strict or not OF_SCHEMAS.search(error.message):
                raise
            self._learn(refused=self._strict_digest)

    def _learn(self, **what: Any) -> None:
        self.experience.learn(self.scope, ModelLearned(self.role.model, **what))

    def _offer(self, channel: str, sight: Sight) -> Offer:
        """A role with tools works freely until it answers, and only then is held to the schema. A role without tools is held to it at once."""
        choice, format_ = (AUTO, self._format) if self._shaped else (self._choice(), b"")
        return self.member.offer(channel, self._box, self._window, choice=choice, files=sight.files, format_=format_)

    @property
    def _shaped(self) -> bool:
        """Whether this turn is held to the user's schema."""
        return self.shape is not None and not (self.member.box and not self.scope.exchange.reshaped)

    @property
    def _strict(self) -> bytes:
        return self.shape.format if self.shape else b""

    @property
    def _strict_digest(self) -> str:
        return blake2b(self._strict, digest_size=8).hexdigest()

    @property
    def _format(self) -> bytes:
        return ANY_JSON if (canonical(self.role.model), self._strict_digest) in self.experience.refused else self._strict

    @property
    def _box(self) -> Toolbox:
        """The tools of this turn."""
        return self.member.box.without(self.scope.view.withheld_tools.get(self.scope.lane, ()))

    def _choice(self) -> ToolChoice:
        """A role that must consult first may not answer before a consultation succeeded. Its last turn is kept for the answer."""
        first = self.member.first
        if first is None:
            return AUTO
        calls = self.scope.calls_left
        if self.scope.turns_left == 1 or calls == 0:
            return ANSWER_ONLY
        if any(message.role == "tool" and message.tool_name in (first.only or ()) for message in self.scope.exchange.messages):
            return AUTO
        return first if calls is None else replace(first, least=min(first.least, calls), most=min(first.most, calls))

    async def _channel(self) -> str:
        """The channel from the configuration, from a trial, or from what the host says of the model."""
        known = self.role.channel or self.experience.channels.get(self._place)
        if known is None:
            known = await self.experience.tried(*self._place) or await self._able()
            self.experience.channels[self._place] = known
        return known

    async def _able(self) -> str:
        """`tools`, unless the host says that the model has none, or refused them in an earlier run."""
        described = await self.models.describe(*self._place)
        digest, channel = self.experience.lacking.get(self._place, ("", ""))
        if channel and (described is None or described.digest == digest):
            return channel
        capable = described is None or described.capabilities is None or "tools" in described.capabilities
        return "tools" if capable else "schema"

    @property
    def _place(self) -> tuple[str, tuple[str, ...]]:
        return self.role.model, self.role.servers

    @property
    def _window(self) -> int:
        return self.experience.window(self.role.model, self.role.window)

    def _tokens(self, weight: float) -> int:
        return self.experience.gauge.tokens(self.role.model, weight)

    def _plan(self, frame: Frame, more: float) -> Plan:
        """What the prompt has, beside `more` tokens. It is recorded when more of the history is left out than before."""
        scope, lane = self.scope, self.scope.exchange
        skip, overhead = lane.history.skipped, frame.overhead + more
        plan = compose(frame.system, lane, self.experience.scale, window=self._window, overhead=overhead, skip=skip, tokens=self._tokens)
        if plan.skipped > skip:
            scope.record(HistoryShortened(scope.lane, self.role.name, plan.skipped, lane.past - plan.skipped))
        return plan

    # ---------------------------------------------------------------- the model is asked

    async def _ask(self, channel: str, sight: Sight) -> None:
        listening = self._listening(channel, sight)

        def shorter(error: WindowExceeded) -> Asking:
            nonlocal listening
            self._recount(error, listening.plan)
            listening = self._listening(channel, sight)
            return self._asking(listening, shorter)

        reply = await self.models.serve(self._asking(listening, shorter))
        reading = writable(self._read(listening.channel, reply))
        self._release(listening.heard(), reading)
        if reading.suspect:
            reading = await self._clearer(listening, reply, reading, sight)
        message = distinct(reading.message, self.scope.view.call_ids.__contains__, self.experience.call_id)
        listening.replied(reply, message)
        self._count(listening.asked.estimate, reply, listening.plan if not sight.tokens else None)
        self._settle(reading, message, stopped=reply.done_reason == REPETITION)
        if self.scope.view.repetitions[self.scope.lane] > REPETITIONS:
            raise self._repeating()

    def _tail(self) -> str:
        """What the model should know about this turn."""
        last = self.member.box and (self.scope.turns_left == 1 or self.scope.calls_left == 0)
        return self._templates.fill("last_turn") if last else ""

    def _listening(self, channel: str, sight: Sight) -> Listening:
        scope, role, offer = self.scope, self.role, self._offer(channel, sight)
        tail = self._tail()
        plan = self._plan(offer.frame, sight.tokens + estimate(tail))
        asked = ModelAsked(
            Recorder.name(scope), scope.lane, role.name, role.model, role.window, self._tokens(plan.weight),
            offer.frame.fact.frame, offer.channel.name, plan.skipped, tail=tail, sees=sight.sees, viewers=sight.viewers,
        )  # fmt: skip
        return Listening(scope, asked, offer.frame, offer.channel, plan)

    def _asking(self, listening: Listening, shorter: Callable[[WindowExceeded], Asking]) -> Asking:
        scope, role = self.scope, self.role
        request = request_of(
            listening.asked, listening.frame, scope.exchange, doubled=listening.plan.doubled, guarded=not scope.limits.repetition
        )
        return Asking(request, role.servers, f"{scope.thread}/{role.name}", observer=listening, recorder=listening, shorter=shorter)

    def _recount(self, error: WindowExceeded, plan: Plan) -> None:
        """Take over the count and the window of a host that refused the prompt as too long."""
        factor = self.experience.gauge.corrected(self.role.model, plan.weight, error.prompt_tokens or 0)
        self._learn(factor=factor, window=min(self._window, error.window or self._window), asked_window=self.role.window)

    def _read(self, channel: Channel, reply: Reply) -> Reading:
        if reply.done_reason != REPETITION:
            return channel.read(reply, Seen(self.scope.exchange.all_messages()))
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

    # ---------------------------------------------------------------- a reply that is unclear

    async def _clearer(self, recorder: Recorder, reply: Reply, reading: Reading, sight: Sight) -> Reading:
        """The reply as the ladder repairs it. It is recorded only afterwards, so after a crash no unclear reply counts as an answer."""
        if self.ladder is None:
            return reading
        scope, choice = self.scope, self._choice()
        allowed = {spec.name for spec in choice.allowed(self._box.specs)}
        box = self._box.without([name for name in self._box.names if name not in allowed])
        try:
            again = self._again(recorder.asked, reading, choice, sight)
            clear = await self.ladder.climb(scope, box, reading, again)
        except asyncio.CancelledError:
            recorder.ended(reply.host, "cancelled", "The call was cancelled while MMOS tried to read its reply.")
            raise
        if clear is not reading and not clear.message.calls:  # the user has seen a different answer stream by
            scope.hint("restart", self._templates.worded(reading.unclear))
            scope.hint("token", clear.message.content)
        return clear

    def _again(self, asked: ModelAsked, reading: Reading, choice: ToolChoice, sight: Sight) -> Again | None:
        """This turn once more, with a grammar that allows only JSON. None when the turn already had one."""
        box = self._box
        if not box or (self.role.channel or self.experience.channels.get(self._place)) == "schema":
            return None
        text, unclear = reading.message.content.strip(), self._templates.worded(reading.unclear)
        if text:
            unclear = self._templates.fill("you_wrote", text=fenced(text), unclear=unclear)
        words = self._templates.fill("again", unclear=unclear)
        offer = self.member.offer("schema", box, self._window, choice=choice, files=sight.files)
        try:
            plan = self._plan(offer.frame, sight.tokens + estimate(asked.tail))
        except WindowExceeded:
            return None
        return Again(self.role, offer, replace(asked, skipped=plan.skipped, shows=asked.lane, words=words))

    # ---------------------------------------------------------------- after the reply

    def _is_said_again(self, message: Message) -> bool:
        """Whether the reply equals the previous one word for word. Then asking again does not help."""
        before = [earlier for earlier in self.scope.exchange.messages[:-1] if earlier.role == "assistant"][-1:]
        return bool(message.content.strip()) and bool(before) and before[0].content == message.content

    def _count(self, estimate: int, reply: Reply, plan: Plan | None) -> None:
        """Correct the gauge by the host's count, if there is a plan to compare it with. Warn when the count says that the host cut the prompt."""
        read, window = reply.usage.prompt_tokens, self._window
        if reply.done_reason == "length" and not reply.calls:
            self.scope.record(Warned(f"{self.role.name}: its answer was cut off after {counted(reply.usage.output_tokens, 'token')}"))
        if estimate > window // 2 and read in range(window // 2, window // 2 + 5):
            text = f"{reply.host} counted {read} tokens of a prompt of about {estimate}: it may have cut it to fit {window}"
            self.scope.record(Warned(f"{self.role.name}: {text}"))
            return
        if plan and (factor := self.experience.gauge.learn(self.role.model, plan.weight, read)):
            self._learn(factor=factor)

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
