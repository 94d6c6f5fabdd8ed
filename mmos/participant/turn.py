"""Takes one turn of a participant: it makes a prompt that fits the window, asks the model, and records the reply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from mmos.calls.reading import CLEAR, QUOTED, Reading, Unclear, distinct, writable
from mmos.calls.seen import Seen
from mmos.calls.shape import Shape
from mmos.calls.tool_choice import ToolChoice
from mmos.config.schema import Step
from mmos.errors import BadRequest, LacksTools, LimitReached, NoAnswer, NoHost, WindowExceeded
from mmos.events import CallRepaired, Prompted, Warned
from mmos.hosts.speech import REPEATED
from mmos.messages import REPETITION, Message, Reply
from mmos.participant.cast import Asking, Member, Role
from mmos.participant.composing import Composed, Composer
from mmos.participant.degrading import choose, free, may_degrade, too_late
from mmos.participant.experience import Experience, Place, Unserved
from mmos.participant.eyes import Eyes, Sight
from mmos.participant.foresight import Turns
from mmos.participant.ladder import Ladder
from mmos.participant.models import Models, RunAsk, Shorter
from mmos.participant.proof import PromptCutError
from mmos.participant.recorder import LiveRecorder
from mmos.prompting.compose import Plan
from mmos.prompting.request import request_of
from mmos.prompting.templates import Templates
from mmos.scope import Scope

SETBACKS = 2
"""How many unclear replies in a row MMOS sends back to a participant."""

REPETITIONS = 1
"""How often in one exchange MMOS stops a participant that repeats itself and asks again."""

UNSERVED_SECONDS = 60.0
"""When no host could serve a model and the role has another one, MMOS tries the first one again after so many seconds."""

OF_SCHEMAS = re.compile(r"schema|grammar|format", re.IGNORECASE)


Proof = Callable[[Plan, Reply], PromptCutError | None]


@dataclass(frozen=True)
class Turn:
    """One turn of a participant in a lane: one request to its model, and what comes of it."""

    room: Asking
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
    must: ToolChoice | None = None
    """What the reply must be, as a rule says."""
    composer: Composer = field(init=False)

    def __post_init__(self) -> None:
        composer = Composer(self.member, self.scope, self.experience, self.scope.exchange, self.shape, self.must)
        object.__setattr__(self, "composer", composer)

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
        sight = await self.eyes.look(self.member, self.composer.lane)
        try:
            await self._ask(channel, sight)
        except LacksTools:
            if channel == "schema" or self.role.channel:
                raise
            details = await self.models.describe(*self._place)
            self.composer.learn(servers=self.role.servers, channel="schema", digest=details.digest if details else "")
        except BadRequest as error:
            composer = self.composer
            if not composer.is_shaped or composer.format != composer.schema or not OF_SCHEMAS.search(error.message):
                raise
            composer.learn(refused=composer.schema_digest)

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
        return self.composer.place

    # ---------------------------------------------------------------- the model is asked

    async def _ask(self, channel: str, sight: Sight) -> None:
        composer = self.composer
        recorder = await self._recorder(composer, channel, sight)

        async def shorter(error: WindowExceeded) -> RunAsk:
            nonlocal composer, recorder
            composer = composer.after(error, recorder.plan)
            recorder = await self._recorder(composer, channel, sight)
            return self._run_ask(recorder, shorter, None if composer.limit or sight.tokens else composer.proof)

        reply = await self.models.serve(self._run_ask(recorder, shorter, None if sight.tokens else composer.proof))
        reading = writable(self._read(recorder, reply))
        self._release(recorder.take_text(), reading)
        if reading.suspect:
            reading = await self._clearer(recorder, reply, reading, sight)
        message = distinct(reading.message, self.scope.view.call_ids.__contains__, self.experience.call_id)
        recorder.record_reply(reply, message)
        composer.count(reply, recorder.plan, images=bool(sight.tokens))
        self._settle(reading, message, stopped=reply.done_reason == REPETITION)
        if self.scope.view.repetitions[self.scope.lane] > REPETITIONS:
            raise self._repeating()

    async def _recorder(self, composer: Composer, channel: str, sight: Sight) -> LiveRecorder:
        """The request of this turn, and who records it."""
        if self.scope.view.passages.by_place:
            composer.give_passages(composer.passages)
        try:
            composed = composer.compose(channel, sight)
            fits = composer.fits(composed.plan)
        except WindowExceeded:
            fits = False
        event, offer, plan = composed if fits else await self._shortened(composer, channel, sight)
        return LiveRecorder(self.scope, event, offer.frame, offer.channel, plan, self.turns)

    async def _shortened(self, composer: Composer, channel: str, sight: Sight) -> Composed:
        from mmos.participant.shortening import shorten  # most prompts fit

        return await shorten(composer, self.room, channel, sight)

    def _run_ask(self, recorder: LiveRecorder, shorter: Shorter, proof: Proof | None) -> RunAsk:
        scope, role = self.scope, self.role
        request = request_of(
            recorder.event, recorder.frame, self.composer.lane, doubled=recorder.plan.doubled, guarded=not scope.limits.repetition
        )
        return RunAsk(
            request, role.servers, f"{scope.thread}/{role.name}", observer=recorder, group=scope.run, shorter=shorter,
            kind=role.name, strategy=scope.strategy, urgent=scope.urgent, shape=self.shape if self.composer.is_shaped else None, proof=partial(proof, recorder.plan) if proof else None,
        )  # fmt: skip

    def _read(self, recorder: LiveRecorder, reply: Reply) -> Reading:
        if reply.done_reason != REPETITION:
            return recorder.channel.read(reply, Seen(self.scope.read()))
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
        scope, choice, box = self.scope, self.composer.choice(), self.composer.box
        names = {spec.name for spec in choice.allowed(box.specs)}
        box = box.without([name for name in box.names if name not in names])
        try:
            again = self.composer.again(recorder.event, reading, sight)
            clear = await self.ladder.climb(scope, box, reading, again)
        except asyncio.CancelledError:
            recorder.record_failure(reply.host, "cancelled", "The call was cancelled while MMOS tried to read its reply.")
            raise
        if clear is not reading and not clear.message.calls:  # the user has seen a different answer stream by
            scope.hint("restart", self._templates.explain(reading.unclear))
            scope.hint("token", clear.message.content)
        return clear

    # ---------------------------------------------------------------- after the reply

    def _equals_previous(self, message: Message) -> bool:
        """Whether the reply equals the previous one word for word. If so, it does not help to ask again."""
        previous = next((earlier for earlier in reversed(self.scope.exchange.messages[:-1]) if earlier.role == "assistant"), None)
        return bool(message.content.strip()) and previous is not None and previous.content == message.content

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
