"""Follows a run at work: its events from the journal, its hints between them, and its answer at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

from mmos.app.answer import Answer
from mmos.app.lifecycle import Watch
from mmos.events import Entry, Event, RunFinished
from mmos.journal import Journal
from mmos.scope import Hint
from mmos.views.run import RunView

LAST_EVENTS = 2.0
"""After the end of a run, its last events may take this many seconds to come."""


class Stream:
    """The events and hints of a run, as they come. The run begins when you start to read. If you stop reading, MMOS cancels it."""

    def __init__(self, journal: Journal, work: Callable[[Watch], Awaitable[Answer]], watch: Watch, *, resumed: bool = False) -> None:
        self.run = ""
        """The id of the run. Empty until it has begun."""
        self.answer: Answer | None = None
        """The answer, also of a cancelled run. None until the stream has ended."""
        self._journal = journal
        self._work = work
        self._watch = watch
        self._resumed = resumed
        self._pieces: asyncio.Queue[Event | Hint | None] = asyncio.Queue()
        self._working: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    async def __aiter__(self) -> AsyncIterator[Event | Hint]:
        if self._working is None:
            self._working = asyncio.create_task(self._run())
            self._working.add_done_callback(lambda _: self._pieces.put_nowait(None))
        try:
            while (piece := await self._pieces.get()) is not None:
                yield piece
            await self._working
        finally:
            await self.aclose()

    async def to_end(self, tell: Callable[[Event], None]) -> Answer:
        """Pass on every event, and return the answer. If the caller is cancelled, the run stops, and the answer has the text so far."""
        telling = asyncio.create_task(self._tell(tell))
        try:
            await asyncio.wait([telling])
        except asyncio.CancelledError:
            if not self.run:
                await self.aclose()
                raise
            cast("asyncio.Task[Any]", asyncio.current_task()).uncancel()
            self.cancel()
            await asyncio.wait([telling])
        finally:
            telling.cancel()  # a caller that is cancelled twice does not wait
        telling.result()
        return cast("Answer", self.answer)

    async def _tell(self, tell: Callable[[Event], None]) -> None:
        async for piece in self:
            if not isinstance(piece, Hint):  # with `Watch.on_hint` there are none: no token waits for an event
                tell(piece)

    def cancel(self) -> None:
        """Cancel the run. The stream then yields its last events."""
        if self._working is not None and self.answer is None:
            self._working.cancel()

    async def aclose(self) -> None:
        """Cancel the run, and wait until it has stopped."""
        self.cancel()
        if self._working is not None:
            await asyncio.gather(self._working, return_exceptions=True)

    async def _run(self) -> None:
        try:
            hear = self._watch.on_hint or self._pieces.put_nowait
            self.answer = await self._work(replace(self._watch, on_hint=hear, on_start=self._begin))
        except asyncio.CancelledError:
            if not self.run:
                raise
            view = RunView.of(await self._journal.read(run=self.run))
            if view.status is None:  # the journal could not write the end
                view.apply(Entry(self.run, view.thread, view.ended, RunFinished("cancelled", view.answer, view.reason)))
            self.answer = Answer.of(view)
        finally:
            if self._following is not None:
                await asyncio.wait([self._following], timeout=LAST_EVENTS)
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)  # without the journal there is still an answer

    def _begin(self, run: str) -> None:
        self.run = run
        self._following = asyncio.create_task(self._follow(run))
        if self._watch.on_start is not None:
            self._watch.on_start(run)

    async def _follow(self, run: str) -> None:
        """Pass on the run's events up to its end. A resumed run has earlier ends in the journal. They do not count."""
        resumption = (await self._journal.read(run=run, kinds=("run_resumed",)))[-1].seq if self._resumed else 0
        async for entry in self._journal.follow(run=run):
            self._pieces.put_nowait(entry.event)
            if isinstance(entry.event, RunFinished) and not 0 < entry.seq <= resumption:  # 0: the entry could not be written
                return
