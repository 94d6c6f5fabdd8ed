"""Runs all work on the store on one thread, and passes it there from the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from mmos.errors import StateError
from mmos.events import Entry
from mmos.journal.connect import Tuning
from mmos.journal.rows import Line
from mmos.journal.store import Store

T = TypeVar("T")

_GIVE_WAY_FOR = 0.001


@dataclass(eq=False)
class Batch:
    """Lines for one job on the thread."""

    lines: deque[list[Line]] = field(default_factory=deque)
    asked: bool = False
    """Whether a job will take them."""


class _Waiters:
    """The callers that wait for one job. It wakes their loop once for all of them. If one is cancelled, the job and the others go on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()  # a journal may be closed on another one
        self._futures: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        future = self._loop.create_future()
        self._futures.append(future)
        await future

    def wake(self, _: Future[Any]) -> None:
        """On any thread."""
        with suppress(RuntimeError):  # The loop has ended, and so have the callers.
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        for future in self._futures:
            if not future.done():
                future.set_result(None)


class Writer:
    """Collects lines and commits them in groups, in order. Other work on the store runs between the groups."""

    def __init__(self, store: Store, tuning: Tuning, committed: Callable[[list[Entry]], None]) -> None:
        self.lost: dict[str, StateError] = {}
        """Runs with lost entries, and the reason. Nothing more of them is written."""
        self.followed = False
        """Whether there are followers. Without any, the thread does not wake the loop, which would cost as much as the commit."""
        self._told: set[str] = set()
        """Lost runs whose error a caller has received."""
        self._store = store
        self._tuning = tuning
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mmos-journal")
        self._waiting: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._batch = Batch()
        """Where the next lines go: it ends with the next other work."""
        self._latest: Future[Any] | None = None
        self._commit: Future[None] | None = None
        self._awaited: tuple[Future[None], _Waiters] | None = None
        """The newest commit that callers wait for."""
        self._guard: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------- on the loop

    def put(self, line: Line) -> None:
        self._waiting.append(line)
        if self._timer is None:
            self._timer = self._loop.call_later(self._tuning.linger, self._linger_ends)

    def _linger_ends(self) -> None:
        self._timer = None
        self.hand_over()

    def hand_over(self) -> None:
        """Have the lines so far written. The timer goes on: to cancel it and to set another for the next line takes longer than an early commit."""
        if not self._waiting:
            return
        batch = self._batch
        batch.lines.append(self._waiting)
        self._waiting = []
        if not batch.asked:
            batch.asked = True
            self._commit = self._submit(partial(self._write, batch))

    async def durable(self, run: str | None = None, *, on_disk: bool = False, until: Entry | None = None) -> None:
        """Return when all lines so far are written, or those up to the entry `until`. Raises if lines of this run (without `run`: of any run) could not be written.

        `on_disk`: also survive a power cut.
        """
        await (self.do(self._store.flush) if on_disk else self.settle(until))
        for name in [*self.lost] if run is None else [run]:
            if name in self.lost:
                self._told.add(name)
                raise self.lost[name].with_traceback(None)

    async def do(self, work: Callable[[], T]) -> T:
        """Run work on the thread, after all lines that were put in before, and before all later ones."""
        self.hand_over()
        self._batch = Batch()
        return await self._result(self._submit(work))

    async def decide(self, decide: Callable[[], list[Entry]]) -> list[Entry]:
        return await self.do(partial(self._decide, decide))

    async def close(self) -> None:
        """Write the rest and close. Raises if lines were lost and no caller knows it yet."""
        self._awaited = None
        try:
            await self.settle()
        finally:
            closing = self._thread.submit(self._store.close)
            self._thread.shutdown(wait=False)
            for timer in (self._guard, self._timer):
                if timer is not None:
                    timer.cancel()
            await self._result(closing)
            self._thread.shutdown()
        for run in self.lost.keys() - self._told:
            raise self.lost[run].with_traceback(None)

    async def settle(self, until: Entry | None = None) -> None:
        if until is None or any(line[0] is until for line in reversed(self._waiting)):
            self.hand_over()
        job = self._commit
        if job is None or job.done():
            if job is not None:
                job.result()
            return
        if self._awaited is None or self._awaited[0] is not job:
            self._awaited = job, _Waiters()
            job.add_done_callback(self._awaited[1].wake)
        await self._awaited[1].wait()
        job.result()

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        job = self._thread.submit(work)
        self._latest = job
        if self._guard is None:
            self._guard = self._loop.call_later(self._tuning.give_way_after, self._give_way, job)
        return job

    async def _result(self, job: Future[T]) -> T:
        if not job.done():
            waiters = _Waiters()
            job.add_done_callback(waiters.wake)
            await waiters.wait()
        return job.result()

    def _give_way(self, job: Future[Any]) -> None:
        # A loop that always has work releases the interpreter lock at each poll, but so briefly that a waiting
        # thread may miss it for seconds. So after this wait the loop pauses for a moment.
        self._guard = None
        if not job.done():
            wait([job], _GIVE_WAY_FOR)
        if self._latest is not None and not self._latest.done():
            self._guard = self._loop.call_later(self._tuning.give_way_after, self._give_way, self._latest)

    # ---------------------------------------------------------------- on the thread

    def _write(self, batch: Batch) -> None:
        batch.asked = False  # From here on, `hand_over` submits a new job. Lines from before are taken below.
        lines: list[Line] = []
        while batch.lines:
            lines += batch.lines.popleft()
        # No entry of a run follows a gap. The next run may find room again.
        whole = [line for line in lines if line[0].run not in self.lost] if self.lost else lines
        fault: StateError | None = StateError(f"{self._store.path}: could not be written.")  # replaced by a more precise error below
        try:
            self._store.write(whole)
            fault = None
        except StateError as error:
            fault = error
        finally:
            if fault is not None:
                self.lost |= {entry.run: fault for entry, *_ in whole if not entry.seq}
            if self.followed:
                self._tell([entry for entry, *_ in lines])

    def _decide(self, decide: Callable[[], list[Entry]]) -> list[Entry]:
        entries = decide()
        for entry in entries:  # A resumed run continues from its written entries.
            self.lost.pop(entry.run, None)
        if self.followed:
            self._tell(entries)
        return entries

    def _tell(self, entries: list[Entry]) -> None:
        with suppress(RuntimeError):  # The loop has ended without closing the journal, so there are no followers.
            self._loop.call_soon_threadsafe(self._committed, entries)
