"""Asks a model one question outside its conversation, in a separate lane. The question is counted and recorded like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mmos.events import LaneClosed, LaneOpened, ModelAsked, Status
from mmos.fleet.fleet import Ask, Fleet
from mmos.hosts.face import ChatRequest
from mmos.messages import Message, Reply
from mmos.participant.recorder import Recorder
from mmos.prompting.budget import Gauge, estimate, weigh
from mmos.scope import Scope


@dataclass(frozen=True)
class Inquiry:
    """A question in its own lane, below the lane that it is about."""

    fleet: Fleet
    gauge: Gauge
    scope: Scope
    """Bound to the lane."""

    @classmethod
    def open(cls, fleet: Fleet, gauge: Gauge, scope: Scope, *, role: str, about: str) -> Inquiry:
        lane = f"{scope.lane}/{role}/{scope.view.inquiries + 1}"
        scope.record(LaneOpened(lane, role, Message("user", about), scope.lane, depth=scope.depth + 1, memory="none"))
        return cls(fleet, gauge, scope.bind(lane=lane, role=role, depth=scope.depth + 1, listener=scope.inner_listener))

    def close(self, status: Status) -> None:
        self.scope.record(LaneClosed(self.scope.lane, self.scope.role, status, self.scope.exchange.said()))

    def fits(self, request: ChatRequest) -> bool:
        """Whether the whole prompt fits the window. An inquiry never leaves anything out."""
        return self._tokens(request) <= request.num_ctx

    async def ask(
        self, role: str, request: ChatRequest, servers: tuple[str, ...], *, seconds: float, shape: Callable[[Reply], Message]
    ) -> Reply:
        """The reply. `shape` makes the message that is recorded. Raises HostError when no reply comes in time."""
        request = replace(request, guarded=not self.scope.limits.repetition)
        channel = "schema" if request.format else "tools"
        scope, tokens = self.scope, self._tokens(request)
        asked = ModelAsked(Recorder.name(scope), scope.lane, role, request.model, request.num_ctx, tokens, channel=channel)
        recorder = Recorder(scope, asked)
        reply = await recorder.serve(self.fleet, Ask(request, servers, f"{scope.thread}/{role}/inquiry", observer=recorder), seconds)
        recorder.replied(reply, shape(reply))
        return reply

    def _tokens(self, request: ChatRequest) -> int:
        return self.gauge.tokens(request.model, sum(map(weigh, request.messages)) + estimate(request.tools.decode()))
