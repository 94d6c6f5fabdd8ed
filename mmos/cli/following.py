"""Shows a run while it runs, and returns its answer, also when the user stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mmos.scope import Hint

if TYPE_CHECKING:
    from mmos.app import Answer
    from mmos.app.stream import Stream
    from mmos.events import Event


async def followed(stream: Stream, tell: Callable[[Event], None]) -> Answer:
    """Show the run's events up to its end. If this task is cancelled, the run stops, and its answer is what there is."""
    showing = asyncio.create_task(_show(stream, tell))
    try:
        await asyncio.wait([showing])
    except asyncio.CancelledError:
        if not stream.run:
            showing.cancel()
            await asyncio.wait([showing])
            raise
        cast("asyncio.Task[Any]", asyncio.current_task()).uncancel()
        stream.cancel()
        await asyncio.wait([showing])
    finally:
        showing.cancel()  # if the user did not want to wait
    showing.result()
    return cast("Answer", stream.answer)


async def _show(stream: Stream, tell: Callable[[Event], None]) -> None:
    async for piece in stream:
        if not isinstance(piece, Hint):  # a hint goes straight to `Watch.on_hint`, so that no token waits
            tell(piece)
