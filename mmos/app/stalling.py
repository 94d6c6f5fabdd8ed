"""Ends a run that no longer gets on: no fact, and nobody at work whose patience is limited elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mmos.errors import LimitReached
from mmos.scope import Scope


@asynccontextmanager
async def getting_on(scope: Scope) -> AsyncIterator[None]:
    """The work inside is cancelled when the run has been idle for too long; LimitReached says so.

    Progress only stamps the time. One timer looks at the stamp when it rings, and sets itself anew.
    """
    idle = scope.limits.idle
    if idle is None:
        yield
        return
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:
            timer: asyncio.TimerHandle

            def look() -> None:
                nonlocal timer
                left = scope.pulse.left(idle, scope.clock())
                if left > 0:
                    timer = loop.call_later(left, look)
                else:
                    limit.reschedule(loop.time())

            timer = loop.call_later(idle, look)
            try:
                yield
            finally:
                timer.cancel()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise LimitReached(_stalled(scope, idle), limit="stalled", next_step=_ADVICE.format(run=scope.run)) from error


_ADVICE = (
    "`mmos runs show {run}` shows how far it came. A tool that takes longer needs a timeout of its own: @mmos.tool(timeout=…). "
    "Or raise limits.idle in the configuration."
)


def _stalled(scope: Scope, idle: float) -> str:
    view = scope.view
    open_calls = [begun.tool for call, begun in view.started_calls.items() if call not in view.finished_calls]
    at_work = f" Still at work: {', '.join(dict.fromkeys(open_calls))}." if open_calls else ""
    return f"The run made no progress for {idle:g} s.{at_work}"
