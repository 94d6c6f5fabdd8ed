"""Asks a model one question outside every conversation, in a lane of its own. MMOS counts and records it like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mmos.calls.reading import Reading, writable
from mmos.events import LaneClosed, LaneOpened, ModelAsked, Status
from mmos.messages import Message, Reply
from mmos.participant.cast import Role
from mmos.participant.models import Models, RunAsk
from mmos.participant.recorder import Recorder, next_id
from mmos.prompting.budget import count_message, total
from mmos.prompting.frame import Frame
from mmos.prompting.gauge import Gauge
from mmos.prompting.request import request_of
from mmos.scope import Scope


@dataclass(frozen=True)
class Inquiry:
    """A question in its own lane, below the lane that it is about."""

    models: Models
    gauge: Gauge
    scope: Scope
    """Bound to the lane."""

    @classmethod
    def open(cls, models: Models, gauge: Gauge, scope: Scope, *, role: str, about: str) -> Inquiry:
        lane = f"{scope.lane}/{role}/{scope.view.inquiries + 1}"
        scope.record(LaneOpened(lane, role, Message("user", about), scope.lane, depth=scope.depth + 1, memory="none"))
        return cls(models, gauge, scope.bind(lane=lane, role=role, depth=scope.depth + 1, listener=scope.inner_listener))

    def close(self, status: Status) -> None:
        self.scope.record(LaneClosed(self.scope.lane, self.scope.role, status, self.scope.exchange.newest_text()))

    async def ask(self, role: Role, frame: Frame, seconds: float, like: ModelAsked | None = None) -> Reply | None:
        """The reply to the lane's own messages, or to the same as another request. Raises HostError when none comes in time.

        None: the prompt does not fit the window. An inquiry never leaves anything out.
        """
        scope = self.scope
        event = replace(
            like or ModelAsked("", "", role.name, role.model, role.window),
            ask=next_id(scope), lane=scope.lane, frame=frame.event.frame, channel=frame.channel,
        )  # fmt: skip
        lane = scope.conversation.lanes[scope.run, event.shows or event.lane]
        request = request_of(event, frame, lane, guarded=not scope.limits.repetition)
        tokens = self.gauge.tokens(role.model, total(frame.overhead, *map(count_message, request.messages)))
        if tokens > role.window:
            return None
        recorder = Recorder(scope, replace(event, estimate=tokens), frame)
        kind = f"{role.name}/inquiry"
        ask = RunAsk(
            request, role.servers, f"{scope.thread}/{kind}", observer=recorder, seconds=seconds, kind=kind, strategy=scope.strategy,
            urgent=scope.urgent,
        )  # fmt: skip
        reply = await self.models.serve(ask)
        recorder.record_reply(reply, writable(Reading(reply.message)).message)
        return reply
