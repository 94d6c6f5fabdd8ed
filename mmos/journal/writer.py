"""The thread that alone touches the store, and how work reaches it from the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from mmos.errors import StateError
from mmos.events import Entry
from mmos.journal.connect import Tuning
from mmos.journal.store import Line, Store

T = TypeVar("T")

_GIVE_WAY_FOR = 0.001


class Writer:
    """Takes lines in one by one and commits them in groups, in order; other work on the store waits its turn among them."""

    def __init__(self, store: Store, tuning: Tuning, committed: Callable[[list[Entry]], None]) -> None:
        self.lost: dict[str, StateError] = {}
        """Runs with a gap, and why: nothing more of them is written."""
        self.followed = False
        """Whether anybody wants to hear of commits; waking the loop costs as much as the commit."""
        self._told: set[str] = set()
        """Lost runs of which a caller has heard."""
        self._store = store
        self._tuning = tuning
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mmos-journal")
        self._waiting: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._handed: deque[list[Line]] = deque()
        self._asked = False
        self._latest: Future[Any] | None = None
        self._commit: Future[None] | None = None
        self._guard: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------- on the loop

    def put(self, line: Line) -> None:
        self._waiting.append(line)
        if self._timer is None:
            linger = self._tuning.linger_followed if self.followed else self._tuning.linger
            self._timer = self._loop.call_later(linger, self.hand_over)

    def hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        self._handed.append(self._waiting)
        self._waiting = []
        if not self._asked:
            self._asked = True
            self._commit = self._submit(self._write)

    async def durable(self, run: str | None = None) -> None:
        """Returns when all that was put in is written; raises where something of this run, or of any, could not be."""
        await self._settled()
        for name in [*self.lost] if run is None else [run]:
            if name in self.lost:
                self._told.add(name)
                raise self.lost[name].with_traceback(None)

    async def do(self, work: Callable[[], T]) -> T:
        """Runs it on the thread, after everything that was put in before."""
        self.hand_over()
        return await self._result(self._submit(work))

    async def decide(self, decide: Callable[[], list[Entry]]) -> list[Entry]:
        return await self.do(partial(self._decide, decide))

    async def close(self) -> None:
        """Raises where something could not be written and nobody has heard of it."""
        try:
            await self._settled()
        finally:
            closing = self._thread.submit(self._store.close)
            self._thread.shutdown(wait=False)
            if self._guard is not None:
                self._guard.cancel()
            await self._result(closing)
            self._thread.shutdown()
        for run in self.lost.keys() - self._told:
            raise self.lost[run].with_traceback(None)

    async def _settled(self) -> None:
        self.hand_over()
        if self._commit is not None:
            await self._result(self._commit)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        job = self._thread.submit(work)
        self._latest = job
        if self._guard is None:
            self._guard = self._loop.call_later(self._tuning.give_way_after, self._give_way, job)
        return job

    async def _result(self, job: Future[T]) -> T:
        if job.done():
            return job.result()
        # A caller that is cancelled takes nothing back: the job may hold what others have put in.
        return await asyncio.shield(asyncio.wrap_future(job))

    def _give_way(self, job: Future[Any]) -> None:
        # A loop that always has something to do lets go of the interpreter's lock at each poll, but for so short a time that a
        # thread which wants it may miss it for seconds. So whoever has waited this long gets the interpreter for a moment.
        self._guard = None
        if not job.done():
            wait([job], _GIVE_WAY_FOR)
        if self._latest is not None and not self._latest.done():
            self._guard = self._loop.call_later(self._tuning.give_way_after, self._give_way, self._latest)

    # ---------------------------------------------------------------- on the thread

    def _write(self) -> None:
        self._asked = False  # From here on whoever hands over asks anew; what was handed over before is taken below.
        lines: list[Line] = []
        while self._handed:
            lines += self._handed.popleft()
        # No fact of a run follows a gap. The next run may find room again.
        whole = [line for line in lines if line[0].run not in self.lost]
        fault: StateError | None = StateError(f"{self._store.path}: could not be written.")  # unless something says more
        try:
            self._store.write(whole)
            fault = None
        except StateError as error:
            fault = error
        finally:
            if fault is not None:
                self.lost |= {entry.run: fault for entry, _ in whole if not entry.seq}
            self._tell([entry for entry, _ in lines])

    def _decide(self, decide: Callable[[], list[Entry]]) -> list[Entry]:
        entries = decide()
        for entry in entries:  # Whoever takes a run up again goes on from what is written.
            self.lost.pop(entry.run, None)
        self._tell(entries)
        return entries

    def _tell(self, entries: list[Entry]) -> None:
        if self.followed:
            with suppress(RuntimeError):  # The loop has ended without closing the journal: nobody listens.
                self._loop.call_soon_threadsafe(self._committed, entries)
