"""Composes the prompt of a turn: what the model is offered, what it should know now, and as much of the conversation as fits the window."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from hashlib import blake2b
from operator import sub
from typing import Any, NamedTuple

from mmos.advice import line as advice_line
from mmos.calls.reading import Reading
from mmos.calls.shape import Shape
from mmos.calls.tool_choice import ANSWER_ONLY, AUTO, ToolChoice
from mmos.errors import WindowExceeded
from mmos.events import HistoryShortened, ModelAsked, ModelLearned
from mmos.fences import fenced
from mmos.messages import Reply
from mmos.names import canonical
from mmos.participant.cast import Member, Offer, Role
from mmos.participant.experience import Experience, Place
from mmos.participant.eyes import Sight
from mmos.participant.ladder import Again
from mmos.participant.proof import HALF, PromptCutError, cut, overflow
from mmos.participant.recorder import next_id
from mmos.phases import line as phase_line
from mmos.plurals import counted
from mmos.prompting.compose import Plan, Space, compose
from mmos.prompting.frame import Frame
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Toolbox
from mmos.views.chunks import part_of
from mmos.views.conversation import Lane

ANY_JSON = b'"json"'
"""The format for a host that cannot make a model follow a schema. MMOS checks the answer in any case."""


class Composed(NamedTuple):
    """The request of a turn before it is sent."""

    event: ModelAsked
    offer: Offer
    plan: Plan


@dataclass(frozen=True)
class Composer:
    """Composes the prompts of one participant in a lane, and compares them with what hosts count."""

    member: Member
    scope: Scope
    experience: Experience
    lane: Lane
    shape: Shape | None = None
    """The schema of the final answer."""
    must: ToolChoice | None = None
    """What the reply must be, as a rule says. None: no rule says anything."""
    limit: int = 0
    """If not 0: the tokens of a prompt that a host read whole, after it had cut a longer one."""

    @property
    def role(self) -> Role:
        return self.member.role

    @property
    def place(self) -> Place:
        return self.role.model, self.role.servers

    @property
    def _templates(self) -> Templates:
        return self.member.templates

    def learn(self, **what: Any) -> None:
        self.experience.learn(self.scope, ModelLearned(self.role.model, **what))

    def compose(self, channel: str, sight: Sight) -> Composed:
        """The request of this turn, as the journal keeps it, with its offer and its plan."""
        scope, role, offer = self.scope, self.role, self.offer(channel, sight)
        space = self.space(sight)
        plan = self._plan(offer.frame, space)
        event = ModelAsked(
            next_id(scope), scope.lane, role.name, role.model, role.window, plan.tokens,
            offer.frame.event.frame, offer.channel.name, plan.skipped, tail=space.tail, sees=sight.sees, viewers=sight.viewers,
        )  # fmt: skip
        return Composed(event, offer, plan)

    def again(self, event: ModelAsked, reading: Reading, sight: Sight) -> Again | None:
        """This turn once more, with a grammar that allows only JSON. None when the turn already had one."""
        box, choice = self.box, self.choice()
        if not box or (self.role.channel or self.experience.channels.get(self.place)) == "schema":
            return None
        text, unclear = reading.message.content.strip(), self._templates.explain(reading.unclear)
        if text:
            unclear = self._templates.fill("you_wrote", text=fenced(text), unclear=unclear)
        words = self._templates.fill("again", unclear=unclear)
        offer = self.member.offer("schema", box, self._window, choice=choice, files=sight.files)
        try:
            plan = self._plan(offer.frame, self.space(sight, event.tail))
        except WindowExceeded:
            return None
        self.leave_out(plan)
        return Again(self.role, offer, replace(event, skipped=plan.skipped, shows=event.lane, words=words))

    # ---------------------------------------------------------------- what the model is offered

    def offer(self, channel: str, sight: Sight) -> Offer:
        """A role with tools gets the user's schema only after its first answer. A role without tools gets it at once."""
        choice, format_ = (AUTO, self.format) if self.is_shaped else (self.choice(channel), b"")
        return self.member.offer(channel, self.box, self._window, choice=choice, files=sight.files, format_=format_)

    @property
    def is_shaped(self) -> bool:
        """Whether the reply of this turn must fit the user's schema."""
        return self.shape is not None and not (self.member.box and not self.lane.reshaped)

    @property
    def schema(self) -> bytes:
        return self.shape.format if self.shape else b""

    @property
    def schema_digest(self) -> str:
        return digest_of(self.schema)

    @property
    def format(self) -> bytes:
        return ANY_JSON if (canonical(self.role.model), self.schema_digest) in self.experience.refusals else self.schema

    @property
    def box(self) -> Toolbox:
        """The tools of this turn."""
        withheld = self.scope.view.withheld_tools.get(self.scope.lane, ())
        if self.member.shortlist is not None:
            withheld = {*withheld, *self.member.shortlist.left_out(self.lane)}
        box = self.member.box.without(withheld)
        if not self.lane.history.refers:
            return box
        from mmos.participant.artifacts import with_reader  # few participants have texts that became shorter

        return with_reader(box, self.member)

    def choice(self, channel: str = "schema") -> ToolChoice:
        """What the reply may contain. On the channel `tools` a phase changes nothing here, because other tools would change the beginning of the prompt: the executor holds its limits."""
        if self.member.first is None and self.must is None and not self.scope.phases:
            return AUTO
        names = self.box.names
        permitted = [name for name in names if self.scope.phases.permits(self.scope.view.phase, name)]
        choice = self._consulting_first(permitted)
        return choice if channel == "tools" else choice.within(permitted, names)

    def _consulting_first(self, permitted: Collection[str]) -> ToolChoice:
        """A role that must consult first may answer only after a consultation has succeeded, or in its last turn."""
        first = self.must or self.member.first
        if first == ANSWER_ONLY:
            return ANSWER_ONLY
        if first is None or first.only is None or first.only.isdisjoint(permitted):
            return AUTO
        calls = self.scope.calls_left
        if self.scope.turns_left == 1 or calls == 0:
            return ANSWER_ONLY
        if self.must is None and any(message.role == "tool" and message.tool_name in (first.only or ()) for message in self.lane.messages):
            return AUTO
        return first if calls is None else replace(first, least=min(first.least, calls), most=min(first.most, calls))

    # ---------------------------------------------------------------- what fits, and what the model should know now

    def _tail(self, most: int | None = None) -> str:
        """What the model should know about this turn only. `most`: the most passages of the library."""
        others = self.scope.view.patterns.advice.get(self.scope.lane)
        told = others.text if others is not None else ""
        if self.scope.view.passages.by_place:
            told = "\n\n".join(filter(None, (self._passages(most), told)))
        last = self.member.box and (self.scope.turns_left == 1 or self.scope.calls_left == 0)
        if last:
            return "\n\n".join(filter(None, (told, self._templates.fill("last_turn"))))
        advised = self.scope.view.route or self.scope.view.rules.met
        advice = advice_line(self.scope, self._templates) if advised else ""
        phase = phase_line(self.scope, self.box.names, self._templates) if self.scope.phases else ""
        lines = "\n".join(filter(None, (advice, phase)))
        return "\n\n".join(filter(None, (told, lines))) if told else lines

    def _passages(self, most: int | None) -> str:
        from mmos.citing import line  # few runs have passages

        return line(self.scope, self._window, self._templates, most)

    @property
    def passages(self) -> int:
        """How many passages of the library the prompt has."""
        if not self.scope.view.passages.by_place:
            return 0
        from mmos.citing import given

        return len(given(self.scope, self._window))

    def give_passages(self, count: int) -> None:
        """Record that the prompts of this lane have no more passages, if there are more."""
        from mmos.citing import give

        give(self.scope, count)

    def with_passages(self, space: Space, count: int) -> Space:
        """The space of a prompt that has only the best passages."""
        return space._replace(tail=self._tail(count))

    @property
    def _window(self) -> int:
        window = self.experience.window(self.role.model, self.role.window)
        return min(window, self.limit) if self.limit else window

    def space(self, sight: Sight, tail: str | None = None) -> Space:
        """The window, and what this turn adds to the messages."""
        model = self.role.model
        return Space(self._window, model, self.experience.gauge.of(model), self._tail() if tail is None else tail, sight.tokens)

    def _plan(self, frame: Frame, space: Space) -> Plan:
        """Which part of the lane fits into the prompt."""
        lane = self.lane
        return compose(frame, lane, self.experience.scale, space, skip=lane.history.skipped)

    def fits(self, plan: Plan) -> bool:
        """Whether a prompt has all that the one before had, and leaves room for the reply."""
        return not plan.tight and plan.skipped == self.lane.history.skipped

    def leave_out(self, plan: Plan) -> None:
        """Record that a prompt leaves out more of the history than the one before."""
        scope, lane = self.scope, self.lane
        if plan.skipped > lane.history.skipped:
            scope.record(HistoryShortened(scope.lane, self.role.name, plan.skipped, lane.past - plan.skipped))

    # ---------------------------------------------------------------- what hosts count

    def recount(self, error: WindowExceeded, plan: Plan) -> None:
        """Take over the count and the window of a host that refused the prompt as too long."""
        rates = self.experience.gauge.corrected(self.role.model, plan.counts, error.prompt_tokens or 0)
        self.learn(rates=rates, window=min(self._window, error.window or self._window), asked_window=self.role.window)

    def after(self, error: WindowExceeded, plan: Plan) -> Composer:
        """What composes the next try, after a host refused a prompt as too long or cut it."""
        if not isinstance(error, PromptCutError):
            self.recount(error, plan)
            return self
        if error.window is not None:
            return replace(self, limit=error.window)
        self.learn(rates=self.experience.gauge.corrected(self.role.model, plan.counts, error.prompt_tokens or 0))
        return replace(self, limit=self.role.window)

    def proof(self, plan: Plan, reply: Reply) -> PromptCutError | None:
        """Why the host cannot have read the whole prompt. None: it has, as far as its count shows."""
        if reply.usage.prompt_tokens >= HALF * plan.tokens:
            return None
        gauge, model, known = self.experience.gauge, self.role.model, plan.known
        new = tuple(map(sub, plan.counts, known.counts)) if known else plan.counts
        tokens = gauge.tokens(model, new)  # as is known now: replies to other prompts may have come since this one was sent
        expected = tokens + (known.tokens if known else 0)
        return cut(expected, gauge.doubt(model, new), reply, self._window, new=plan.estimated if known else None)

    def _warn_of_length(self, tokens: str) -> None:
        """Notes on parts of a task have all the same limit, so one warning is for all of them."""
        scope, name, part = self.scope, self.role.name, part_of(self.scope.lane)
        if part and scope.view.divisions.takes_notes(scope.lane):
            scope.warn_once(f"{name}: notes on parts of its task were cut off", "Each has a limit, so that they fit together.")
        else:
            scope.warn(f"{name}: {f'what it wrote for {part}' if part else 'its answer'} was cut off after {tokens}")

    def count(self, reply: Reply, plan: Plan, *, images: bool) -> None:
        """Correct the gauge by the host's count. Warn when the prompt or the answer was cut."""
        name = self.role.name
        if reply.done_reason == "length" and not reply.calls:
            self._warn_of_length(counted(reply.usage.output_tokens, "token"))
        if images:
            return
        if (error := self.proof(plan, reply)) is not None:
            self.scope.warn_once(f"{name}: a host cut the prompt, although it was asked not to", error.message)
            return
        if self.limit and self.limit < self.role.window and reply.usage.prompt_tokens >= HALF * plan.tokens:  # it was read whole
            self.learn(window=self.limit, asked_window=self.role.window)
        if overflow(reply, self._window):
            self.scope.warn_once(f"{name}: prompt and answer filled the window", "The host may have dropped the beginning of the prompt.")
        if plan.known is None and self.experience.gauge.repeats(self.role.model, plan.counts, reply.usage.prompt_tokens):
            tokens = counted(reply.usage.prompt_tokens, "token")
            self.scope.warn_once(
                f"{name}: {reply.host} counts the same for prompts of different lengths, so it cuts them",
                f"It counted {tokens}, although the window is {self._window:,}: `mmos models test {self.role.model}` measures how much it reads.",
            )
        if rates := self.experience.gauge.learn(self.role.model, plan.counts, reply.usage.prompt_tokens):
            self.learn(rates=rates)


def digest_of(schema: bytes) -> str:
    """The name of a schema that a host may have refused."""
    return blake2b(schema, digest_size=8).hexdigest()
