"""Asks a model one question outside its conversation, in a separate lane. The question is counted and recorded like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from mmos.errors import HostError, HostTimeout
from mmos.events import LaneClosed, LaneOpened, ModelAsked, ModelFailed, ModelReplied, Status
from mmos.fleet.fleet import Ask, Fleet
from mmos.hosts.face import ChatRequest
from mmos.messages import Message, Reply
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
        lane = f"{scope.run}:{scope.view.opened}"
        scope.record(LaneOpened(lane, role, Message("user", about), scope.lane, depth=scope.depth + 1))
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
        scope = self.scope
        ask = f"a{scope.view.asked + 1}"
        scope.record(ModelAsked(ask, scope.lane, role, request.model, request.num_ctx, self._tokens(request), channel=_channel(request)))
        request = replace(request, guarded=not scope.limits.repetition)
        scope.hint("turn")
        begun = scope.clock()

        def failed(host: str, code: str, detail: str) -> None:
            scope.record(ModelFailed(ask, scope.lane, role, request.model, host, code, detail))

        try:
            async with asyncio.timeout(seconds) as limit:
                observe = _observer(failed)
                with scope.pulse:
                    reply = await self.fleet.serve(Ask(request, servers, f"{scope.thread}/{role}/inquiry", observe=observe))
        except TimeoutError as error:
            if not limit.expired():
                raise
            failed("", "host_timeout", f"No reply within {seconds:g} s.")
            raise HostTimeout(f"{request.model} did not answer within {seconds:g} s.", model=request.model) from error
        except asyncio.CancelledError:
            failed("", "cancelled", "The call was cancelled.")
            raise
        took = round(scope.clock() - begun, 6)
        message, usage = shape(reply), reply.usage
        scope.record(
            ModelReplied(ask, scope.lane, role, request.model, reply.host, message, usage, reply.done_reason, took, reply.placement)
        )
        return reply

    def _tokens(self, request: ChatRequest) -> int:
        return self.gauge.tokens(request.model, sum(map(weigh, request.messages)) + estimate(request.tools.decode()))


def _observer(failed: Callable[[str, str, str], None]) -> Callable[[str, HostError], None]:
    return lambda host, error: failed(host, error.code, error.message)


def _channel(request: ChatRequest) -> str:
    return "schema" if request.format else "tools"
