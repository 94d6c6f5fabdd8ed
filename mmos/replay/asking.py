"""Finds out what would be asked today where the journal has a request: with the participants of today, and all else as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson

from mmos.calls.channels import Channel, SchemaChannel, ShapedChannel, ToolsChannel
from mmos.calls.reading import Reading, Unclear, writable
from mmos.calls.seen import Seen
from mmos.calls.spec import Spec
from mmos.events import Entry, LaneOpened, ModelAsked, ModelLearned, ModelReplied
from mmos.hosts.face import ChatRequest
from mmos.messages import REPETITION, Reply
from mmos.names import canonical
from mmos.participant.cast import Member
from mmos.participant.composing import ANY_JSON, Composer, digest_of
from mmos.participant.experience import Experience
from mmos.participant.eyes import sight_of
from mmos.participant.ladder import LANE
from mmos.participant.ruled import member_now, must_now
from mmos.prompting.budget import USUAL, Counts, tokens_of
from mmos.prompting.compose import Scale, Space, compose
from mmos.prompting.frame import Frame
from mmos.prompting.gauge import Gauge
from mmos.prompting.request import request_of
from mmos.replay.present import Present
from mmos.replay.state import NotKeptError, RunState
from mmos.tools.hand_over import HAND_OVER
from mmos.tools.reconsider import LARGER, found_before
from mmos.tools.reconsider import NAME as RECONSIDER
from mmos.views.chunks import part_of
from mmos.views.patterns import PATTERN
from mmos.views.patterns import TOOL as RUN_PATTERN
from mmos.views.quality import is_validation
from mmos.views.recoveries import is_advice
from mmos.views.talks import TOOL as CONVERSATION
from mmos.window_events import SUMMARY

_AMPLE = 2**40

GIVING = frozenset({HAND_OVER})
"""Built-in tools that give a role tools of their own, as functions of the user may."""


class Today(NamedTuple):
    """The request of today in the place of one of the state."""

    request: ChatRequest
    channel: Channel | None = None
    """How its reply would be read. None: the reply of an inquiry."""
    own: str = ""
    """The text of the role itself."""
    loose: bool = False
    """Whether a function asked that gives tools of its own. Only the function knows which tools and which schema it gave."""


class GoneError(Exception):
    """There is nobody today who would send this request."""

    def __init__(self, part: str, then: str) -> None:
        super().__init__(part)
        self.part, self.then = part, then


@dataclass
class Asking:
    """What today's participants would ask in places of one run."""

    state: RunState
    learned: Iterable[Entry] = ()
    """What runs have shown about models."""
    replies: Mapping[str, ModelReplied] = field(default_factory=dict)
    """All replies of the run, by their requests."""
    scale: Scale = field(default_factory=Scale)

    def __post_init__(self) -> None:
        self._learned: dict[str, list[ModelLearned]] = {}
        """By the canonical name of the model."""
        for entry in self.learned:
            if isinstance(entry.event, ModelLearned):
                self._learned.setdefault(canonical(entry.event.model), []).append(entry.event)

    def today(self, present: Present, event: ModelAsked, frame: Frame) -> Today:
        """The request of today. Raises `NotKeptError` when the journal does not tell, and `GoneError` when nobody would ask."""
        opened = self.state.opened.get(event.lane)
        if opened is None:
            raise NotKeptError("the journal does not have the beginning of its lane")
        if opened.parent and not opened.call:
            return self._again(present, event) if event.shows else self._interpreted(present, event, frame, opened)
        member, loose = self.member(present, opened)
        composer = self.composer(present, member, event, frame)
        composer.scope.check_turns()
        if (limit := composer.scope.reached_limit) is not None:
            raise limit
        channel = (composer.role.channel or frame.channel) if composer.member.box else "tools"
        composed = composer.compose(channel, sight_of(composer.scope.exchange, sees=event.sees, viewers=event.viewers))
        return Today(self._request(composed.event, composed.offer.frame, event), composed.offer.channel, member.system, loose)

    def _request(self, event: ModelAsked, frame: Frame, then: ModelAsked) -> ChatRequest:
        """`then`: the event of the state. The window that really went out replaces the one that was asked for, if that is the same today."""
        reply = self.replies.get(then.ask)
        if reply is not None and reply.window and event.window == then.window:
            event = replace(event, window=reply.window)
        return request_of(event, frame, self.state.lane(event.shows or event.lane))

    def member(self, present: Present, opened: LaneOpened) -> tuple[Member, bool]:
        """Who answers in a lane, and whether a function asked that gives tools of its own."""
        cast, role = present.participants.cast, opened.role
        if opened.call == SUMMARY:
            raise NotKeptError("a model summarised old exchanges")
        if is_advice(opened.lane):
            raise NotKeptError(f"a recovery asked {role}")
        if is_validation(opened.lane):
            raise NotKeptError(f"a validation asked {role}")
        if part_of(opened.lane):
            raise NotKeptError(f"{role} read a part of its task")
        if opened.call == PATTERN or self.tool_of(opened.call) == RUN_PATTERN:
            raise NotKeptError(f"a pattern asked {role}")
        if self.tool_of(opened.call) == CONVERSATION:
            raise NotKeptError(f"a conversation asked {role}")
        is_foreign = bool(opened.parent) and self.tool_of(opened.call) not in present.house
        if is_foreign and (role not in cast or opened.memory != "thread"):
            raise NotKeptError(f"a function of yours asked {role}")
        loose = is_foreign or (bool(opened.parent) and self.tool_of(opened.call) in GIVING)
        if role not in cast:
            raise GoneError(f"role {role}", "There was a role with this name.")
        recoveries = self.state.view.recoveries
        changes = recoveries.changes_of_exchange(opened.lane) or recoveries.changes_of_call(opened.call)
        step = self.state.view.steps.get((opened.call, LARGER))
        model, servers = found_before(step.value) if step and self.tool_of(opened.call) == RECONSIDER else ("", ())
        member = present.participants.moved(cast[role], model, servers) if model else cast[role]
        return present.participants.changed(member, changes), loose

    def tool_of(self, call: str) -> str:
        """The tool that a call ran. It may be another one than the model named."""
        repairs = [repair for repair in self.state.view.repairs if repair.call == call and repair.tool]
        started = self.state.view.started_calls.get(call)
        return repairs[-1].tool if repairs else started.tool if started else ""

    def composer(self, present: Present, member: Member, event: ModelAsked, frame: Frame) -> Composer:
        """What composes the prompts of today in the lane of a request of the past, with what was known of models then."""
        members = present.participants
        place = self.state.scope(event.shows or event.lane, present.limits)
        member = member_now(place, member, members.moved)
        member = next((choice for choice in member.choices if canonical(choice.role.model) == canonical(event.model)), member)
        scope = place.bind(role=member.role.name)
        shape = members.shape if not scope.depth else None
        experience = self._experience(member, event, frame, shape.format if shape else b"")
        return Composer(member, scope, experience, scope.exchange, shape, must_now(scope, member))

    def _experience(self, member: Member, event: ModelAsked, frame: Frame, format_: bytes) -> Experience:
        """What was known of the model: its factor by the estimate, its real window by the options, a refusal by the format."""
        name, role = canonical(event.model), member.role
        known = self._learned.get(name, [])
        told = frame.options.get("num_predict")
        experience = Experience(scale=self.scale)
        was_learned = any((one.window, one.asked_window) == (told, role.window) for one in known)
        if isinstance(told, int) and role.window == event.window and was_learned:
            experience.windows[canonical(role.model), role.window] = told
        experience.gauge.rates[canonical(role.model)] = self._rates(event, frame, known)
        experience.channels[role.model, role.servers] = frame.channel
        if format_ and frame.format == ANY_JSON:
            experience.refusals.add((canonical(role.model), digest_of(format_)))
        return experience

    def _rates(self, event: ModelAsked, frame: Frame, learned: Iterable[ModelLearned]) -> Counts:
        """The rates with which MMOS made the estimate of a request."""
        lane, gauge = self.state.lane(event.shows or event.lane), Gauge()
        images = sight_of(lane, sees=event.sees, viewers=event.viewers).tokens
        space = Space(_AMPLE, event.model, USUAL, event.tail, images)
        usual = plan = compose(frame, lane, self.scale, space, skip=event.skipped)
        for one in learned:
            if plan.tokens == event.estimate:
                break
            gauge.take(event.model, one.rates, one.factor)
            plan = compose(frame, lane, self.scale, space._replace(rates=gauge.of(event.model)), skip=event.skipped)
        if plan.tokens == event.estimate or not event.estimate:
            return gauge.of(event.model)
        share = (event.estimate - 1) / tokens_of(USUAL, usual.counts)
        return tuple(rate * share for rate in USUAL)

    # ---------------------------------------------------------------- inquiries

    def _interpreted(self, present: Present, event: ModelAsked, frame: Frame, opened: LaneOpened) -> Today:
        """A question to the interpreter, with the tools whose names it had."""
        ladder = present.participants.ladder
        roles = [role for role in ladder.interpreters if opened.role == LANE] if ladder else []
        if ladder is None or not roles:
            raise GoneError(f"role {event.role}", "It read unclear calls.")
        role = next((role for role in roles if canonical(role.model) == canonical(event.model)), roles[0])
        names = [tool["function"]["name"] for tool in orjson.loads(frame.tools or b"[]")]
        specs = [tool.spec for name in names if (tool := present.participants.box.get(name))]
        now = replace(event, model=role.model, window=role.window)
        return Today(self._request(now, ladder.frame(role, specs), event))

    def _again(self, present: Present, event: ModelAsked) -> Today:
        """The request of the caller once more, because its reply was unclear."""
        outer = self.state.asked.get(event.shows)
        reply, above = self.replies.get(outer.ask) if outer else None, self.state.opened.get(event.shows)
        frame = self.state.frames.get(outer.frame) if outer else None
        if outer is None or reply is None or above is None or frame is None:
            raise NotKeptError("the journal does not have the unclear reply")
        member, loose = self.member(present, above)
        composer = self.composer(present, member, outer, frame)
        sight = sight_of(composer.scope.exchange, sees=event.sees, viewers=event.viewers)
        channel = (composer.role.channel or frame.channel) if composer.member.box else "tools"
        reading = self.reading(reply, composer.compose(channel, sight).offer.channel)
        again = composer.again(outer, reading, sight)
        if again is None:
            raise GoneError("request", "The caller was asked once more, with a grammar for JSON.")
        now = replace(again.event, ask=event.ask, lane=event.lane, model=composer.role.model, window=composer.role.window)
        return Today(self._request(now, again.offer.frame, event), own=member.system, loose=loose)

    # ---------------------------------------------------------------- replies

    def reading(self, event: ModelReplied, channel: Channel) -> Reading:
        """What is read today in what the host sent."""
        message = event.message if event.raw is None else replace(event.raw, thinking=event.message.thinking)
        if event.done_reason == REPETITION:
            return Reading(message, Unclear("repeated_text"))
        reply = Reply(message, event.model, event.host, event.usage, event.done_reason)
        return writable(channel.read(reply, Seen([*self.state.lane(event.lane).all_messages(), *self.state.conversation.given])))


def channel_of(frame: Frame, shape: bytes = b"") -> Channel:
    """How a reply to a request with this frame was read. `shape`: the schema of the answer to the user."""
    specs = specs_of(frame)
    if frame.format and frame.format in (shape, ANY_JSON):
        return ShapedChannel(ToolsChannel(), frame.format)
    return SchemaChannel(specs) if frame.channel == "schema" else ToolsChannel(specs)


def specs_of(frame: Frame) -> list[Spec]:
    """All tools of the role that had this frame."""
    tools: list[Mapping[str, Any]] = [tool["function"] for tool in orjson.loads(frame.specs or frame.tools or b"[]")]
    return [Spec(tool["name"], tool.get("description", ""), tool.get("parameters", {})) for tool in tools]
