"""Ends a run that makes no progress: no new event, and nothing at work that has its own timeout."""

from __future__ import annotations

import asyncio
from types import TracebackType

from mmos.errors import LimitReached
from mmos.scope import Scope

_ADVICE = (
    "`mmos runs show {run}` shows how far it got. A tool that takes longer needs its own timeout: @mmos.tool(timeout=…). "
    "Or raise limits.idle in the configuration."
)


class IdleLimit:
    """Cancels the work inside when the run makes no progress for `limits.idle` seconds. It then raises `LimitReached`.

    Progress only sets the time in `Pulse`. A timer reads this time when it rings, and starts again. It ends with the run, so the
    memory of the run is free at once.
    """

    __slots__ = ("_limit", "_scope", "_timer")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._scope.pulse.at = self._scope.clock()
        self._look()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as timeout:
            raise _limit_reached(self._scope) from timeout

    def _look(self) -> None:
        scope, loop = self._scope, asyncio.get_running_loop()
        if scope.limits.idle is None:
            return
        left = scope.pulse.left(scope.limits.idle, scope.clock())
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        else:
            self._limit.reschedule(loop.time())


def _limit_reached(scope: Scope) -> LimitReached:
    view = scope.view
    open_calls = [start.tool for call, start in view.started_calls.items() if call not in view.finished_calls]
    at_work = f" Still at work: {', '.join(dict.fromkeys(open_calls))}." if open_calls else ""
    message = f"The run made no progress for {scope.limits.idle:g} s.{at_work}"
    return LimitReached(message, limit="stalled", next_step=_ADVICE.format(run=scope.run))
