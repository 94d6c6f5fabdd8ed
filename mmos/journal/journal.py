"""The journal's face: append, wait until it is durable, read, decide, follow, delete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from mmos.errors import StateError, StateReadOnly, UsageError
from mmos.events import Entry, Event, encode
from mmos.journal import faults
from mmos.journal.connect import DEFAULTS, Tuning
from mmos.journal.follow import Follower
from mmos.journal.ids import new_id
from mmos.journal.process import Processes
from mmos.journal.store import Choose, Query, Store
from mmos.journal.writer import Writer

_PAGE = 500


class Journal:
    """Use `Journal.open`. It belongs to the event loop that opened it."""

    def __init__(self, folder: Path | None, clock: Callable[[], float], process: str, tuning: Tuning, *, to_delete: bool = False) -> None:
        self.process = process
        """The id under which this journal writes; empty where it only reads."""
        self._processes = Processes(folder) if folder else None
        self._clock = clock
        self._tuning = tuning
        self._store = Store(folder, tuning, process, to_delete=to_delete)
        self._writer = Writer(self._store, tuning, self._committed)
        self._followers: set[Follower] = set()
        self._watch: asyncio.Task[None] | None = None
        self._watch_fault: StateError | None = None
        self._closed = False

    @classmethod
    async def open(
        cls,
        folder: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        read_only: bool = False,
        to_delete: bool = False,
        tuning: Tuning = DEFAULTS,
    ) -> Journal:
        """`folder=None`: in memory, and gone when it is closed. `to_delete`: it opens on a full disk, too, and then deletes at most."""
        journal = cls(folder, clock, "" if read_only else new_id(clock), tuning, to_delete=to_delete)
        opened = False
        try:
            await journal._writer.do(journal._store.open)
            opened = True
        finally:
            if not opened:
                await journal.close()
        return journal

    async def close(self) -> None:
        """Commits what was appended; followers get that, then end. Raises where something was lost and nobody has heard of it."""
        if self._closed:
            return
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        try:
            await self._writer.close()
        finally:
            for follower in self._followers:
                follower.wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    # ---------------------------------------------------------------- write

    def append(self, run: str, thread: str, event: Event) -> Entry:
        """Never blocks. The entry gets its number when it is committed; until then `seq` is 0.

        Where it cannot be written, nothing more of its run is: `durable` and `close` say so, and followers hear of it all the same.
        """
        self._check_writable()
        entry = Entry(run, thread, self._clock(), event)
        # Encoded here and now: what cannot be written down fails at the place where it came from, and later changes do not count.
        self._writer.put((entry, encode(event)))
        return entry

    async def durable(self, run: str | None = None) -> None:
        """Returns when all that was appended so far is committed; raises where something of this run, or of any, could not be."""
        self._check_open()
        await self._writer.durable(run)

    async def decide(self, kinds: Collection[str], choose: Choose, *, thread: str | None = None, run: str | None = None) -> list[Entry]:
        """Reads the entries of these kinds and appends what `choose` makes of them, and nobody can write in between.

        `choose` runs on the journal's thread, perhaps more than once: it looks at nothing but the entries.
        """
        self._check_writable()
        query = Query(run, thread, kinds)
        return await self._writer.decide(partial(self._store.decide, query, choose, self._clock))

    async def delete(self, *, run: str | None = None, thread: str | None = None) -> int:
        """Deletes for good what fits all that is given, and says how many entries that were."""
        if run is None and thread is None:
            raise UsageError("Which run or thread is to be deleted?", next_step="Name one.")
        return await self._delete([Query(run, thread)])

    async def delete_all(self, *, runs: Iterable[str] = (), threads: Iterable[str] = ()) -> int:
        """The same of several, each for itself; their room is given back at the end."""
        return await self._delete([*(Query(run=run) for run in runs), *(Query(thread=thread) for thread in threads)])

    async def _delete(self, queries: Iterable[Query]) -> int:
        self._check_writable()
        count = sum([await self._writer.do(partial(self._store.delete, query)) for query in queries])
        while await self._writer.do(self._store.shrink):
            pass  # Slice by slice, so that what others append is written in between.
        return count

    @property
    def size(self) -> int:
        """Bytes that it takes on the disk."""
        return self._store.size

    def _check_open(self) -> None:
        if self._closed:
            raise faults.closed(self._store.path)

    def _check_writable(self) -> None:
        self._check_open()
        if not self.process:
            raise StateReadOnly(f"{self._store.path}: was opened for reading alone.", next_step="Open it for writing.")

    # ---------------------------------------------------------------- read

    async def read(
        self,
        *,
        run: str | None = None,
        thread: str | None = None,
        kinds: Collection[str] | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Entry]:
        """The entries that fit all that is given, in order; what this journal appended before is among them."""
        query = Query(run, thread, kinds)
        entries: list[Entry] = []
        while limit is None or len(entries) < limit:
            want = _PAGE if limit is None else min(_PAGE, limit - len(entries))
            self._check_open()
            page = await self._writer.do(partial(self._store.page, query, after, want))
            entries += page
            if len(page) < want:
                break
            after = page[-1].seq
        return entries

    def alive(self, process: str) -> bool:
        """Whether the process that writes, or wrote, under this id still lives."""
        if process and process == self.process:
            return not self._closed
        return self._processes is not None and self._processes.alive(process)

    # ---------------------------------------------------------------- follow

    async def follow(self, *, run: str | None = None, after: int = 0) -> AsyncIterator[Entry]:
        """Committed entries, those of other processes too: first the past, then live, until the journal is closed."""
        follower = Follower(run, after)
        self._join(follower)
        try:
            while True:
                while follower.ready:
                    yield follower.ready.popleft()
                if self._watch_fault is not None:
                    raise self._watch_fault
                if follower.behind and not self._closed:
                    await self._catch_up(follower)
                elif follower.take_unkept():
                    continue
                elif self._closed:
                    return
                else:
                    await follower.news()
        finally:
            self._leave(follower)

    async def _catch_up(self, follower: Follower) -> None:
        follower.behind = False  # First: what is committed while we read must be noticed.
        entries, until = await self._writer.do(partial(self._store.beyond, follower.run, follower.place, _PAGE))
        follower.take(entries, until)
        if len(entries) == _PAGE:
            follower.behind = True

    def _join(self, follower: Follower) -> None:
        self._followers.add(follower)
        self._writer.followed = True
        if self._watch is None and self._processes is not None:
            self._watch = asyncio.create_task(self._watch_others())

    def _leave(self, follower: Follower) -> None:
        self._followers.discard(follower)
        self._writer.followed = bool(self._followers)
        if not self._followers and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _committed(self, entries: list[Entry]) -> None:
        for follower in self._followers:
            follower.hear(entries)

    async def _watch_others(self) -> None:
        # The one place that polls: SQLite tells no process of another's commit; it only counts them for who asks.
        try:
            while not self._closed:
                if await self._writer.do(self._store.changed):
                    for follower in self._followers:
                        follower.fall_behind()
                await asyncio.sleep(self._tuning.watch_every)
        except StateError as fault:
            self._watch_fault = fault
            for follower in self._followers:
                follower.wake()
