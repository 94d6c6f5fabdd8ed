"""Takes one turn of a participant: it makes a prompt that fits the window, asks the model, and records the reply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import pairwise
from typing import Any, NamedTuple

from mmos.advice import line as advice_line
from mmos.calls.reading import CLEAR, QUOTED, Reading, Unclear, distinct, writable
from mmos.calls.seen import Seen
from mmos.calls.shape import Shape
from mmos.calls.tool_choice import ANSWER_ONLY, AUTO, ToolChoice
from mmos.config.schema import Step
from mmos.errors import BadRequest, LacksTools, LimitReached, NoAnswer, NoHost, WindowExceeded
from mmos.events import CallRepaired, HistoryShortened, ModelAsked, ModelLearned, Prompted, Warned
from mmos.fences import fenced
from mmos.hosts.speech import REPEATED
from mmos.messages import REPETITION, Message, Reply
from mmos.names import canonical
from mmos.participant.cast import Member, Offer, Role
from mmos.participant.degrading import choose, free, may_degrade, too_late
from mmos.participant.experience import Experience, Place, Unserved
from mmos.participant.eyes import Eyes, Sight
from mmos.participant.foresight import Turns
from mmos.participant.ladder import Again, Ladder
from mmos.participant.models import Models, RunAsk
from mmos.participant.recorder import LiveRecorder, next_id
from mmos.phases import line as phase_line
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
"""The format for a host that cannot make a model follow a schema. MMOS checks the answer in any case."""

REPETITIONS = 1
"""How often in one exchange MMOS stops a participant that repeats itself and asks again."""

UNSERVED_SECONDS = 60.0
"""When no host could serve a model and the role has another one, MMOS tries the first one again after so many seconds."""

OF_SCHEMAS = re.compile(r"schema|grammar|format", re.IGNORECASE)


class Composed(NamedTuple):
    """The request of a turn before it is sent."""

    event: ModelAsked
    offer: Offer
    plan: Plan


@dataclass(frozen=True)
class Turn:
    """One turn of a participant in a lane: one request to its model, and what comes of it."""

    models: Models
    experience: Experience
    member: Member
    scope: Scope
    eyes: Eyes
    ladder: Ladder | None = None
    """Repairs an unclear reply before MMOS sends it back."""
    shape: Shape | None = None
    """The schema of the final answer."""
    degrade: Sequence[Step] = ()
    """What to do, in this order, with a call that would have to wait."""
    turns: Turns | None = None
    """What is expected after its replies."""

    @property
    def role(self) -> Role:
        return self.member.role

    @property
    def _templates(self) -> Templates:
        return self.member.templates

    async def take(self) -> None:
        """Ask the first model of the role that a host can serve, and record the reply."""
        self.scope.check_turns()
        turns = [self if choice is self.member else replace(self, member=choice) for choice in self._in_order()]
        for turn, following in pairwise(turns):
            if await turn._is_taken():
                return
            why = self.experience.unserved[turn._place].why
            text = f"{self.role.name}: {following.role.model} answers in place of {turn.role.model}. {why}"
            self.scope.warn(text, unserved=(f"{self.role.name}={turn.role.model}",))
        await turns[-1]._take()

    def _in_order(self) -> list[Member]:
        """The role with each of its models: first the one that answers in time. Raises when the call is refused."""
        members, left = list(self.member.choices), self.scope.seconds_left
        if not may_degrade(self.degrade, left):
            return members
        delays = [self.models.delay(member.role.model, member.role.servers) for member in members]
        place = choose(self.degrade, delays, left)
        if place is None:
            raise too_late(self.role, delays[0], left)
        if place:
            text = f"{self.role.name}: {members[place].role.model} answers in place of {self.role.model}"
            self.scope.warn_once(text, f"{free(self.role, delays[0])}.")
        return [members.pop(place), *members]

    async def _is_taken(self) -> bool:
        """Take the turn if a host can serve the model. One that no host could serve is not asked again for a while."""
        known = self.experience.unserved.get(self._place)
        if known and self.scope.clock() < known.until:
            return False
        try:
            await self._take()
        except NoHost as error:
            self.experience.unserved[self._place] = Unserved(str(error), self.scope.clock() + UNSERVED_SECONDS)
            return False
        return True

    async def _take(self) -> None:
        """Ask the model and record the reply. If the model has no tools, its later turns use the schema channel."""
        channel = await self._channel() if self.member.box else "tools"
        sight = await self.eyes.look(self.member, self.scope.exchange)
        try:
            await self._ask(channel, sight)
        except LacksTools:
            if channel == "schema" or self.role.channel:
                raise
            details = await self.models.describe(*self._place)
            self._learn(servers=self.role.servers, channel="schema", digest=details.digest if details else "")
        except BadRequest as error:
            if not self._is_shaped or self._format != self._schema or not OF_SCHEMAS.search(error.message):
                raise
            self._learn(refused=self._schema_digest)

    def _learn(self, **what: Any) -> None:
        self.experience.learn(self.scope, ModelLearned(self.role.model, **what))

    def _offer(self, channel: str, sight: Sight) -> Offer:
        """A role with tools gets the user's schema only after its first answer. A role without tools gets it at once."""
        choice, format_ = (AUTO, self._format) if self._is_shaped else (self._choice(channel), b"")
        return self.member.offer(channel, self._box, self._window, choice=choice, files=sight.files, format_=format_)

    @property
    def _is_shaped(self) -> bool:
        """Whether the reply of this turn must fit the user's schema."""
        return self.shape is not None and not (self.member.box and not self.scope.exchange.reshaped)

    @property
    def _schema(self) -> bytes:
        return self.shape.format if self.shape else b""

    @property
    def _schema_digest(self) -> str:
        return digest_of(self._schema)

    @property
    def _format(self) -> bytes:
        return ANY_JSON if (canonical(self.role.model), self._schema_digest) in self.experience.refusals else self._schema

    @property
    def _box(self) -> Toolbox:
        """The tools of this turn."""
        return self.member.box.without(self.scope.view.withheld_tools.get(self.scope.lane, ()))

    def _choice(self, channel: str = "schema") -> ToolChoice:
        """What the reply may contain. On the channel `tools` a phase changes nothing here, because other tools would change the beginning of the prompt: the executor holds its limits."""
        if self.member.first is None and not self.scope.phases:
            return AUTO
        names = self._box.names
        permitted = [name for name in names if self.scope.phases.permits(self.scope.view.phase, name)]
        choice = self._consulting_first(permitted)
        return choice if channel == "tools" else choice.within(permitted, names)

    def _consulting_first(self, permitted: Collection[str]) -> ToolChoice:
        """A role that must consult first may answer only after a consultation has succeeded, or in its last turn."""
        first = self.member.first
        if first is None or first.only is None or first.only.isdisjoint(permitted):
            return AUTO
        calls = self.scope.calls_left
        if self.scope.turns_left == 1 or calls == 0:
            return ANSWER_ONLY
        if any(message.role == "tool" and message.tool_name in (first.only or ()) for message in self.scope.exchange.messages):
            return AUTO
        return first if calls is None else replace(first, least=min(first.least, calls), most=min(first.most, calls))

    async def _channel(self) -> str:
        """The channel from the configuration, from a trial, or from what the host says of the model."""
        channel = self.role.channel or self.experience.channels.get(self._place)
        if channel is None:
            channel = await self.experience.best_channel(*self._place) or await self._channel_of_host()
            self.experience.channels[self._place] = channel
        return channel

    async def _channel_of_host(self) -> str:
        """`tools`, unless the host says that the model has none, or refused them in an earlier run."""
        details = await self.models.describe(*self._place)
        digest, channel = self.experience.substitutes.get(self._place, ("", ""))
        if channel and (details is None or details.digest == digest):
            return channel
        capable = details is None or details.capabilities is None or "tools" in details.capabilities
        return "tools" if capable else "schema"

    @property
    def _place(self) -> Place:
        return self.role.model, self.role.servers

    @property
    def _window(self) -> int:
        return self.experience.window(self.role.model, self.role.window)

    def _tokens(self, weight: float) -> int:
        return self.experience.gauge.tokens(self.role.model, weight)

    def _plan(self, frame: Frame, more: float) -> Plan:
        """Which part of the lane fits into the prompt, beside `more` tokens. Record it when it leaves out more of the history than before."""
        scope, lane = self.scope, self.scope.exchange
        skip, overhead = lane.history.skipped, frame.overhead + more
        plan = compose(frame.system, lane, self.experience.scale, window=self._window, overhead=overhead, skip=skip, tokens=self._tokens)
        if plan.skipped > skip:
            scope.record(HistoryShortened(scope.lane, self.role.name, plan.skipped, lane.past - plan.skipped))
        return plan

    # ---------------------------------------------------------------- the model is asked

    async def _ask(self, channel: str, sight: Sight) -> None:
        recorder = self._recorder(channel, sight)

        def shorter(error: WindowExceeded) -> RunAsk:
            nonlocal recorder
            self._recount(error, recorder.plan)
            recorder = self._recorder(channel, sight)
            return self._run_ask(recorder, shorter)

        reply = await self.models.serve(self._run_ask(recorder, shorter))
        reading = writable(self._read(recorder, reply))
        self._release(recorder.take_text(), reading)
        if reading.suspect:
            reading = await self._clearer(recorder, reply, reading, sight)
        message = distinct(reading.message, self.scope.view.call_ids.__contains__, self.experience.call_id)
        recorder.record_reply(reply, message)
        self._count(recorder.event.estimate, reply, recorder.plan if not sight.tokens else None)
        self._settle(reading, message, stopped=reply.done_reason == REPETITION)
        if self.scope.view.repetitions[self.scope.lane] > REPETITIONS:
            raise self._repeating()

    def _tail(self) -> str:
        """What the model should know about this turn only."""
        last = self.member.box and (self.scope.turns_left == 1 or self.scope.calls_left == 0)
        if last:
            return self._templates.fill("last_turn")
        phase = phase_line(self.scope, self._box.names, self._templates) if self.scope.phases else ""
        return "\n".join(filter(None, (advice_line(self.scope, self._templates), phase))) if self.scope.view.route else phase

    def _recorder(self, channel: str, sight: Sight) -> LiveRecorder:
        """The request of this turn, and who records it."""
        event, offer, plan = self.compose(channel, sight)
        return LiveRecorder(self.scope, event, offer.frame, offer.channel, plan, self.turns)

    def compose(self, channel: str, sight: Sight) -> Composed:
        """The request of this turn, as the journal keeps it, with its offer and its plan."""
        scope, role, offer = self.scope, self.role, self._offer(channel, sight)
        tail = self._tail()
        plan = self._plan(offer.frame, sight.tokens + (estimate(tail) if tail else 0.0))
        event = ModelAsked(
            next_id(scope), scope.lane, role.name, role.model, role.window, self._tokens(plan.weight),
            offer.frame.event.frame, offer.channel.name, plan.skipped, tail=tail, sees=sight.sees, viewers=sight.viewers,
        )  # fmt: skip
        return Composed(event, offer, plan)

    def _run_ask(self, recorder: LiveRecorder, shorter: Callable[[WindowExceeded], RunAsk]) -> RunAsk:
        scope, role = self.scope, self.role
        request = request_of(
            recorder.event, recorder.frame, scope.exchange, doubled=recorder.plan.doubled, guarded=not scope.limits.repetition
        )
        return RunAsk(
            request, role.servers, f"{scope.thread}/{role.name}", observer=recorder, group=scope.run, shorter=shorter,
            kind=role.name, strategy=scope.strategy, urgent=scope.urgent, shape=self.shape if self._is_shaped else None,
        )  # fmt: skip

    def _recount(self, error: WindowExceeded, plan: Plan) -> None:
        """Take over the count and the window of a host that refused the prompt as too long."""
        factor = self.experience.gauge.corrected(self.role.model, plan.weight, error.prompt_tokens or 0)
        self._learn(factor=factor, window=min(self._window, error.window or self._window), asked_window=self.role.window)

    def _read(self, recorder: LiveRecorder, reply: Reply) -> Reading:
        if reply.done_reason != REPETITION:
            return recorder.channel.read(reply, Seen(self.scope.exchange.all_messages()))
        return Reading(reply.message, Unclear("repeated_text"))

    def _repeating(self) -> LimitReached:
        return LimitReached(
            f"{self.role.name} ({self.role.model}) repeated itself word for word. MMOS asked it to stop, and it did so again.",
            limit="repetition",
            next_step=f"`mmos runs show {self.scope.run}` shows what it wrote. {REPEATED[1]} If you want the repetition, set limits.repetition: true.",
        )

    def _release(self, text: str, reading: Reading) -> None:
        """Show the user the rest of a reply. The channel held it back because it looked like the start of a call."""
        content = reading.message.content
        if len(content) > len(text) and content.startswith(text):
            self.scope.hint("token", content[len(text) :])

    # ---------------------------------------------------------------- a reply that is unclear

    async def _clearer(self, recorder: LiveRecorder, reply: Reply, reading: Reading, sight: Sight) -> Reading:
        """The reading of a reply after its repair by the ladder. MMOS records it only then, so after a crash no unclear reply counts as an answer."""
        if self.ladder is None:
            return reading
        scope, choice = self.scope, self._choice()
        names = {spec.name for spec in choice.allowed(self._box.specs)}
        box = self._box.without([name for name in self._box.names if name not in names])
        try:
            again = self.again(recorder.event, reading, sight)
            clear = await self.ladder.climb(scope, box, reading, again)
        except asyncio.CancelledError:
            recorder.record_failure(reply.host, "cancelled", "The call was cancelled while MMOS tried to read its reply.")
            raise
        if clear is not reading and not clear.message.calls:  # the user has seen a different answer stream by
            scope.hint("restart", self._templates.explain(reading.unclear))
            scope.hint("token", clear.message.content)
        return clear

    def again(self, event: ModelAsked, reading: Reading, sight: Sight) -> Again | None:
        """This turn once more, with a grammar that allows only JSON. None when the turn already had one."""
        box, choice = self._box, self._choice()
        if not box or (self.role.channel or self.experience.channels.get(self._place)) == "schema":
            return None
        text, unclear = reading.message.content.strip(), self._templates.explain(reading.unclear)
        if text:
            unclear = self._templates.fill("you_wrote", text=fenced(text), unclear=unclear)
        words = self._templates.fill("again", unclear=unclear)
        offer = self.member.offer("schema", box, self._window, choice=choice, files=sight.files)
        try:
            plan = self._plan(offer.frame, sight.tokens + estimate(event.tail))
        except WindowExceeded:
            return None
        return Again(self.role, offer, replace(event, skipped=plan.skipped, shows=event.lane, words=words))

    # ---------------------------------------------------------------- after the reply

    def _equals_previous(self, message: Message) -> bool:
        """Whether the reply equals the previous one word for word. If so, it does not help to ask again."""
        previous = next((earlier for earlier in reversed(self.scope.exchange.messages[:-1]) if earlier.role == "assistant"), None)
        return bool(message.content.strip()) and previous is not None and previous.content == message.content

    def _count(self, estimate: int, reply: Reply, plan: Plan | None) -> None:
        """Correct the gauge by the host's count, if there is a plan to compare it with. Warn when the count says that the host cut the prompt."""
        tokens, window = reply.usage.prompt_tokens, self._window
        if reply.done_reason == "length" and not reply.calls:
            self.scope.record(Warned(f"{self.role.name}: its answer was cut off after {counted(reply.usage.output_tokens, 'token')}"))
        if estimate > window // 2 and tokens in range(window // 2, window // 2 + 5):
            text = f"{reply.host} counted {tokens} tokens of a prompt of about {estimate}: it may have cut it to fit {window}"
            self.scope.record(Warned(f"{self.role.name}: {text}"))
            return
        if plan and (factor := self.experience.gauge.learn(self.role.model, plan.weight, tokens)):
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
        unclear = self._templates.explain(reading.unclear)
        if message.calls:  # the results must follow the calls directly
            scope.record(Warned(f"{scope.role}: MMOS could not read a part of its reply: {unclear}"))
            return
        text = message.content.lstrip()
        useless = stopped or not text or text[0] in "{[<"  # half a call is no answer, but prose may be one
        setbacks = SETBACKS if not stopped and self._equals_previous(message) else scope.exchange.setbacks
        if useless or setbacks < SETBACKS:
            scope.record(Prompted(scope.lane, scope.role, Message("user", unclear)))
        if useless and setbacks >= SETBACKS:
            raise NoAnswer(f"{scope.role} ({self.role.model}) gave no answer that could be read, {scope.exchange.setbacks} times in a row.")


def digest_of(schema: bytes) -> str:
    """The name of a schema that a host may have refused."""
    return blake2b(schema, digest_size=8).hexdigest()
