"""Provides the journal: append, wait until entries are durable, read, decide, follow, delete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mmos.errors import StateError, StateReadOnly, UsageError
from mmos.events import Entry, Event, Forked
from mmos.journal import faults, past
from mmos.journal.connect import DEFAULTS, Tuning
from mmos.journal.follow import Follower
from mmos.journal.ids import new_id
from mmos.journal.process import Processes
from mmos.journal.store import Choose, Query, Store
from mmos.journal.writer import Writer

_PAGE = 500
_BEYOND = 1 << 62
"""No entry has this number."""
_NO_FORKS = 4096
"""Runs and threads of which a journal remembers that they are no forks."""


class Journal:
    """Use `Journal.open`. It belongs to the event loop that opened it."""

    def __init__(self, folder: Path | None, clock: Callable[[], float], process: str, tuning: Tuning, *, to_delete: bool = False) -> None:
        self.folder = folder
        """Where it is. None: in memory."""
        self.process = process
        """The id under which this journal writes; empty if it only reads."""
        self._processes = Processes(folder) if folder else None
        self._clock = clock
        self._tuning = tuning
        self._store = Store(folder, tuning, process, to_delete=to_delete)
        self._writer = Writer(self._store, tuning, self._committed)
        self._followers: set[Follower] = set()
        self._watch: asyncio.Task[None] | None = None
        self._no_forks: set[tuple[str | None, str | None]] = set()
        self._fault: StateError | None = None
        self._closed = False
        self._ended = False
        """Whether followers have got everything."""

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
        """Open a journal. With `folder=None` it is in memory and gone after `close`. With `to_delete` it also opens on a full disk, but can then only delete."""
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
        """Commit appended entries, deliver them to followers, and end. Raises if entries were lost and no caller knows it yet."""
        if self._closed:
            return
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        try:
            await self._writer.settle()
            await self._deliver_rest()
        finally:
            self._ended = True
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
        """Append an event without blocking. The entry gets its number at the commit; until then `seq` is 0.

        If it cannot be written, nothing more of its run is written. `durable` and `close` raise, and followers still get the entry.
        """
        if self._closed or not self.process:
            self._check_writable()
        entry = Entry(run, thread, self._clock(), event)
        # Encoded at once, so that a value that cannot be written fails here, and later changes have no effect.
        self._writer.put(self._store.line(entry))
        return entry

    async def durable(self, run: str | None = None, *, on_disk: bool = False, until: Entry | None = None) -> None:
        """Return when all entries so far are committed. Raises if entries of this run (without `run`: of any run) could not be written.

        A commit survives the death of the process. With `on_disk`, the entries also survive a power cut. With `until`, it waits only for the
        entries up to this one.
        """
        self._check_open()
        await self._writer.durable(run, on_disk=on_disk, until=until)

    async def decide(self, kinds: Collection[str], choose: Choose, *, thread: str | None = None, run: str | None = None) -> list[Entry]:
        """Read the entries of these kinds and append what `choose` returns, with no other write in between.

        `choose` runs on the journal's thread, perhaps more than once, so it may use only the entries.
        """
        self._check_writable()
        query = Query(run, thread, kinds)
        return await self._writer.decide(partial(self._store.decide, query, choose, self._clock))

    async def adopt(self, entries: Sequence[Entry]) -> set[str]:
        """Append entries of another journal with their times, all or none. Returns the runs that are there already: then it appends none."""
        self._check_writable()
        return await self._writer.do(partial(self._store.adopt, [self._store.line(entry) for entry in entries]))

    async def delete(self, *, run: str | None = None, thread: str | None = None) -> int:
        """Delete all entries that match every argument, and return their number."""
        if run is None and thread is None:
            raise UsageError("No run or thread to delete was given.", next_step="Name one.")
        return await self._delete([Query(run, thread)])

    async def delete_all(self, *, runs: Iterable[str] = (), threads: Iterable[str] = ()) -> int:
        """Delete several runs and threads, and free their room at the end."""
        return await self._delete([*(Query(run=run) for run in runs), *(Query(thread=thread) for thread in threads)])

    async def _delete(self, queries: Iterable[Query]) -> int:
        self._check_writable()
        count = sum([await self._writer.do(partial(self._store.delete, query)) for query in queries])
        while await self._writer.do(self._store.shrink):
            pass  # In slices, so that entries of other callers are written in between.
        return count

    async def compact(self) -> None:
        """Write the file anew, which makes it smaller after deletions. Other processes can read meanwhile, but not write."""
        self._check_writable()
        await self._writer.do(self._store.compact)

    @property
    def shared(self) -> bool:
        """Whether other processes may use it. Nobody else reaches a journal in memory."""
        return self._processes is not None

    def remember_at_most(self, size: int) -> None:
        """Remember only so many bytes of the texts and names in the file. For a process whose many runs have little in common."""
        self._store.remember_at_most(size)

    @property
    def size(self) -> int:
        """Its size on the disk, in bytes."""
        return self._store.size

    def _check_open(self) -> None:
        if self._closed:
            raise faults.closed(self._store.path)

    def _check_writable(self) -> None:
        self._check_open()
        if not self.process:
            raise StateReadOnly(f"{self._store.path}: this journal is open for reading only.", next_step="Open it for writing.")

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
        """The entries that match every argument, in order, including those that this journal appended before.

        Those of a run or a thread begin with its past, if it was forked.
        """
        query = Query(run, thread, kinds)
        entries = await self._past(query, after, limit)
        return entries + await self._pages(query, after, None if limit is None else limit - len(entries))

    async def glance(self, run: str, kinds: Collection[str], field: str) -> list[tuple[int, str, Any]]:
        """The number, the kind and one short field of each entry of a run, without its texts: for long runs of which little is needed."""
        _, queries = await self._pasts(Query(run, None, kinds))
        found: list[tuple[int, str, Any]] = []
        for query in reversed(queries):
            self._check_open()
            found += await self._writer.do(partial(self._store.glance, query, field))
        return found

    async def _pages(self, query: Query, after: int, limit: int | None) -> list[Entry]:
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

    async def runs_with(self, kind: str, part: str, fits: Callable[[Event], bool], *, thread: str | None = None) -> set[str]:
        """The runs that have an event of this kind that fits. Each such event has `part` as a text of at most 100 small letters.

        `fits` runs on the journal's thread. Most entries are not decoded, so this is fast in a large journal.
        """
        self._check_open()
        return await self._writer.do(partial(self._store.runs_with, Query(None, thread, (kind,)), part, fits))

    async def search(
        self, kinds: Collection[str], may_fit: Callable[[str], bool], *, thread: str | None = None
    ) -> AsyncIterator[tuple[list[Entry], int]]:
        """Yield the entries of these kinds whose data may fit, the newest first, in pages with the number up to which it has looked.

        `may_fit` gets the data as JSON and runs on the journal's thread. Only entries that may fit are decoded.
        """
        before = _BEYOND
        while before:
            self._check_open()
            page, before = await self._writer.do(partial(self._store.search, Query(None, thread, kinds), before, _PAGE, may_fit))
            yield page, before

    async def _past(self, query: Query, after: int, limit: int | None) -> list[Entry]:
        """What a forked run or thread shares with others, the oldest first."""
        forks, queries = await self._pasts(query, after)
        entries: list[Entry] = []
        for depth in range(len(forks), 0, -1):
            left = None if limit is None else limit - len(entries)
            entries += past.adopted(await self._pages(queries[depth], after, left), forks[:depth])
        return entries

    async def _pasts(self, query: Query, after: int = 0) -> tuple[list[Entry], list[Query]]:
        """The forks that lead to the past, and the query, the same one for the past of each fork, and so on. They reach back to the number `after`."""
        forks: list[Entry] = []
        queries = [query]
        while fork := await self._fork(queries[-1]):
            there = past.past(queries[-1], fork)
            if there is None or (there.until or 0) <= after:
                break
            forks.append(fork)
            queries.append(there)
        return forks, queries

    async def _fork(self, query: Query) -> Entry | None:
        """The first entry of a fork. It is looked up for each read, because another process may have deleted it."""
        beginning = past.beginning(query)
        key = query.run, query.thread
        if beginning is None or key in self._no_forks:
            return None
        self._check_open()
        found = await self._writer.do(partial(self._store.page, beginning, 0, 1))
        if not found or isinstance(found[0].event, Forked):
            return found[0] if found else None
        if len(self._no_forks) >= _NO_FORKS:
            self._no_forks.clear()
        self._no_forks.add(key)
        return None

    async def state(self) -> tuple[int, int]:
        """The number of the newest entry, and a number that changes when somebody deletes entries or writes the file anew.

        For whoever keeps what he has made of the journal: with both numbers as before, nothing has changed.
        """
        self._check_open()
        return await self._writer.do(self._store.state)

    def now(self) -> float:
        """The time that an entry would get now."""
        return self._clock()

    def alive(self, process: str) -> bool:
        """Whether the process that writes under this id still runs."""
        if process and process == self.process:
            return not self._closed
        return self._processes is not None and self._processes.alive(process)

    # ---------------------------------------------------------------- follow

    async def follow(self, *, run: str | None = None, after: int = 0) -> AsyncIterator[Entry]:
        """Yield committed entries, also of other processes: first the past ones, then new ones, until the journal is closed."""
        follower = Follower(run, after)
        self._join(follower)
        try:
            while True:
                while follower.ready:
                    yield follower.ready.popleft()
                if self._fault is not None:
                    raise self._fault
                if follower.behind and not self._ended:
                    await self._catch_up(follower)
                elif follower.take_unkept():
                    continue
                elif self._ended:
                    return
                else:
                    await follower.news()
        finally:
            self._leave(follower)

    async def _catch_up(self, follower: Follower) -> None:
        follower.behind = False  # First, so that a commit during the read is noticed.
        follower.reads += 1
        try:
            shared = await self._past(Query(follower.run), follower.place, None)
            entries, until = await self._writer.do(partial(self._store.beyond, follower.run, follower.place, _PAGE))
        finally:
            follower.reads -= 1
        follower.take([*shared, *entries], until)
        if len(entries) == _PAGE:
            follower.behind = True

    async def _deliver_rest(self) -> None:
        """Let followers read what they have not read yet, before the file is closed."""
        try:
            for follower in list(self._followers):
                while follower.behind or follower.reads:
                    await self._catch_up(follower)
        except StateError as fault:
            self._fault = fault

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
        # The only place that polls, because SQLite does not notify a process of another's commit. It only counts commits.
        try:
            while not self._closed:
                if await self._writer.do(self._store.changed):
                    for follower in self._followers:
                        follower.fall_behind()
                await asyncio.sleep(self._tuning.watch_every)
        except StateError as fault:
            self._fault = fault
            for follower in self._followers:
                follower.wake()
