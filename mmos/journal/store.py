"""Reads and writes the journal's database with blocking calls. Only one thread at a time may use it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mmos.errors import StateBusy, StateDamaged, StateFull
from mmos.event import LAST_DAY
from mmos.events import Entry, Event
from mmos.journal import connect, faults, full_disk
from mmos.journal.connect import Tuning
from mmos.journal.folder import check, check_room, flush, make
from mmos.journal.process import FileLock, Processes
from mmos.journal.rows import Line, Rows, read_pieces, runs_there, temporary_files_in, writing
from mmos.journal.schema import LISTING, ONLY_LISTING
from mmos.journal.shapes import decode, encode, value_of
from mmos.journal.texts import whole

T = TypeVar("T")

Choose = Callable[[list[Entry]], Sequence[tuple[str, str, Event]]]
_AT_ONCE = 512
"""Lines of one transaction."""
_ENTRIES = """seq, runs.name, threads.name, time, kinds.name, fields, data FROM entries
    LEFT JOIN names AS runs ON runs.id = run LEFT JOIN names AS threads ON threads.id = entries.thread LEFT JOIN kinds ON kinds.id = kind"""
NOT_UNDERSTOOD = (ValueError, TypeError, LookupError, AttributeError)
"""What reading raises when data make no sense: a stranger may have written them."""


@dataclass(frozen=True)
class Query:
    """Selects the entries that match all given values."""

    run: str | None = None
    thread: str | None = None
    kinds: Collection[str] | None = None
    until: int | None = None
    """The largest number that counts."""
    without: str | None = None
    """A kind that does not count."""

    def where(self) -> tuple[str, list[Any]]:
        terms: list[tuple[str, list[Any]]] = []
        if self.run is not None:
            of_run = "FROM names WHERE name = ? AND thread != 0"
            terms.append((f"entries.thread IN (SELECT thread {of_run}) AND run IN (SELECT id {of_run})", [self.run] * 2))
            terms.append((f"seq >= (SELECT min(since) {of_run})", [self.run]))
        if self.thread is not None:
            terms.append(("entries.thread = (SELECT id FROM names WHERE name = ? AND thread = 0)", [self.thread]))
        if self.kinds is not None:
            terms.append((f"kind IN (SELECT id FROM kinds WHERE name IN ({', '.join('?' * len(self.kinds))}))", list(self.kinds)))
            if not terms[:-1] and set(self.kinds) <= set(LISTING):
                terms.append((ONLY_LISTING, []))
        if self.until is not None:
            terms.append(("seq <= ?", [self.until]))
        if self.without is not None:
            terms.append(("kind NOT IN (SELECT id FROM kinds WHERE name = ?)", [self.without]))
        return " AND ".join(text for text, _ in terms) or "TRUE", [value for _, values in terms for value in values]


class Store:
    """The files of a journal: its database and, if it writes, the lock that shows that its process runs."""

    def __init__(self, folder: Path | None, tuning: Tuning, process: str, *, to_delete: bool = False) -> None:
        self.path = folder / connect.FILE if folder else Path(":memory:")
        self._folder = folder
        self._tuning = tuning
        self._process = process
        """Empty if it only reads."""
        self._to_delete = to_delete
        self._cramped: full_disk.Cramped | None = None
        """The database while the disk is full; it can only delete."""
        self._lock: FileLock | None = None
        self._open: sqlite3.Connection | None = None
        self._seen = -1
        self._is_listed = False
        """Whether the disk has the names of the files."""
        self._rows = Rows(tuning.remembered)

    # ---------------------------------------------------------------- open and close

    def open(self) -> None:
        if self._folder is None:
            self._open = connect.in_memory(self._tuning)
        elif self._process:
            self._open_to_write(self._folder)
        else:
            check(self._folder)
            self._open = self._patiently(partial(connect.for_reading, self.path, self._tuning))

    def _open_to_write(self, folder: Path) -> None:
        with faults.told(folder):
            make(folder)
        if connect.exists(self.path) and not os.access(self.path, os.W_OK):
            raise faults.not_writable(self.path)
        with faults.told(folder), connect.opening(folder, self._tuning.patience):
            try:
                self._open = self._patiently(partial(connect.for_writing, self.path, self._tuning))
                self._lock = Processes(folder).claim(self._process)
            except StateFull:
                if not self._to_delete:
                    raise
                self._make_do()

    def remember_at_most(self, size: int) -> None:
        self._rows.remembered = size

    def close(self) -> None:
        if self._open is not None:
            (self._cramped or self._open).close()
            self._open = self._cramped = None
        if self._lock is not None:
            self._lock.release(remove=True)
            self._lock = None

    @property
    def size(self) -> int:
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    # ---------------------------------------------------------------- write

    def line(self, entry: Entry) -> Line:
        """An entry as it will be written. Works on any thread."""
        shape, data = encode(entry.event)
        if len(data) > self._tuning.largest:
            raise faults.too_large(self.path, shape.kind, len(data), self._tuning.largest)
        return entry, shape, data

    def write(self, lines: Sequence[Line]) -> None:
        """Commit the lines in order, and set the numbers of their entries."""
        for start in range(0, len(lines), _AT_ONCE):
            some = lines[start : start + _AT_ONCE]
            self._patiently(partial(self._insert, some))

    def _insert(self, lines: Sequence[Line]) -> None:
        self._rows.insert(self._database, lines)

    def flush(self) -> None:
        """Make the disk keep what is committed. Until then it may be only in the memory of the machine."""
        if self._folder is None:
            return
        with faults.told(self.path):
            # What is not in this file any more, SQLite has flushed with the main file. It holds no locks on this one, so closing it drops none.
            flush(self.path.with_name(f"{self.path.name}-wal"))
            if not self._is_listed:
                flush(self._folder)
                self._is_listed = True

    def adopt(self, lines: Sequence[Line]) -> set[str]:
        """Write entries of runs that are not there yet, with their times, in one transaction. If runs are there, write nothing, and return those."""
        return self._patiently(partial(self._adopt, lines))

    def _adopt(self, lines: Sequence[Line]) -> set[str]:
        names = {entry.run for entry, *_ in lines if entry.run}
        with writing(self._database):
            there = runs_there(self._database, names)
            if lines and not there:
                self._insert(lines)
        return there

    def decide(self, query: Query, choose: Choose, clock: Callable[[], float]) -> list[Entry]:
        return self._patiently(lambda: self._decide(query, choose, clock))

    def delete(self, query: Query) -> int:
        where, values = query.where()
        return self._with_or_without_room(
            lambda: self._rows.delete(self._database, where, values),
            lambda cramped: cramped.delete(self._rows, where, values),
        )

    def shrink(self) -> bool:
        """Free some room on the disk. Returns whether there is more."""
        return self._with_or_without_room(self._shrink, self._shrink_cramped)

    def compact(self) -> None:
        """Write the file anew. SQLite needs room for two copies of it meanwhile."""
        with faults.told(self.path):
            if self._folder is not None:
                check_room(self.path, 2 * self.size)
            with temporary_files_in(self._database, self._folder):
                self._patiently(lambda: self._rows.compact(self._database))
        self._patiently(lambda: self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    def _with_or_without_room(self, with_room: Callable[[], T], without: Callable[[full_disk.Cramped], T]) -> T:
        cramped = self._cramped
        if cramped is None:
            try:
                return self._patiently(with_room)
            except StateFull:
                cramped = self._make_do()
        return self._patiently(partial(without, cramped))

    def _make_do(self) -> full_disk.Cramped:
        """Reopen the file exclusively, in the mode that needs no room."""
        if self._folder is None:
            raise faults.full(self.path)
        if self._open is not None:
            self._open.close()
            self._open = None
        try:
            with faults.told(self.path):
                self._cramped = full_disk.Cramped(self.path, self._tuning)
        except StateBusy:
            raise faults.not_alone(self.path) from None
        self._open = self._cramped.database
        return self._cramped

    def _decide(self, query: Query, choose: Choose, clock: Callable[[], float]) -> list[Entry]:
        with writing(self._database):
            chosen = [Entry(run, thread, clock(), event) for run, thread, event in choose(self._select(query, 0, -1))]
            if chosen:
                self._insert([self.line(entry) for entry in chosen])
        return chosen

    def _shrink_cramped(self, cramped: full_disk.Cramped) -> bool:
        cramped.give_back()
        return self._free_pages > 0

    def _shrink(self) -> bool:
        full_disk.give_back(self._database)
        left = self._free_pages
        if not left:
            # Deleted text stays in the write-ahead file until a checkpoint. If a reader prevents it, the last process to close does it.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return left > 0

    @property
    def _free_pages(self) -> int:
        (count,) = self._database.execute("PRAGMA freelist_count").fetchone()
        return int(count)

    # ---------------------------------------------------------------- read

    def page(self, query: Query, after: int, limit: int) -> list[Entry]:
        return self._patiently(lambda: self._page(query, after, limit))

    def _page(self, query: Query, after: int, limit: int) -> list[Entry]:
        return self._steadily(lambda: self._select(query, after, limit))

    def _steadily(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except StateDamaged:  # Perhaps another process has deleted the texts of these entries in between.
            self._database.execute("BEGIN")
            with self._database:
                return read()

    def search(self, query: Query, before: int, limit: int, may_fit: Callable[[str], bool]) -> tuple[list[Entry], int]:
        """Of the last entries before a number, those whose data may fit, the newest first; and the number of the last that was looked at, 0 if there are no more."""
        return self._patiently(lambda: self._steadily(lambda: self._search(query, before, limit, may_fit)))

    def _search(self, query: Query, before: int, limit: int, may_fit: Callable[[str], bool]) -> tuple[list[Entry], int]:
        where, values = query.where()
        rows = self._database.execute(
            f"SELECT {_ENTRIES} WHERE {where} AND seq < ? ORDER BY seq DESC LIMIT ?", [*values, before, limit]
        ).fetchall()
        kept = read_pieces(self._database, (row[-1] for row in rows))
        found = [self._entry(row, kept) for row in rows if may_fit(self._text(row, kept))]
        return found, rows[-1][0] if len(rows) == limit else 0

    def _text(self, row: tuple[Any, ...], kept: Mapping[int, bytes]) -> str:
        try:
            return whole(row[-1], kept, self._tuning.largest).decode(errors="replace")
        except NOT_UNDERSTOOD as fault:
            raise self._not_understood(row[0], row[4]) from fault

    def glance(self, query: Query, field: str) -> list[tuple[int, str, Any]]:
        """The number, the kind and the value of one short field of each entry, without its texts. It takes a fraction of the time of `page`."""
        where, values = query.where()
        rows = self._patiently(
            lambda: self._database.execute(f"SELECT seq, kind, data FROM entries WHERE {where} ORDER BY seq", values).fetchall()
        )
        kinds = {number: (name, fields) for number, name, fields in self._database.execute("SELECT id, name, fields FROM kinds")}
        found, seq, kind = [], 0, None
        try:
            for seq, kind, data in rows:
                name, fields = kinds[kind]
                found.append((seq, name, value_of(field, fields, data)))
        except NOT_UNDERSTOOD as fault:
            raise self._not_understood(seq, kind) from fault
        return found

    def beyond(self, run: str | None, after: int, limit: int) -> tuple[list[Entry], int]:
        """The next entries of a run, and the number up to which there are no more."""
        row = self._patiently(lambda: self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone())
        # Read the end first. An entry that is committed in between then comes twice instead of never.
        entries = self.page(Query(run), after, limit)
        last = entries[-1].seq if entries else after
        return entries, last if len(entries) == limit else max(last, row[0] if row else 0)

    def runs_with(self, query: Query, part: str, fits: Callable[[Event], bool]) -> set[str]:
        """The runs with an entry that fits. `part`: what each such entry has in its data, in small ASCII letters. It decodes no entry of a run that is found."""
        return self._patiently(lambda: self._runs_with(query, part, fits))

    def _runs_with(self, query: Query, part: str, fits: Callable[[Event], bool]) -> set[str]:
        where, values = query.where()
        rows = self._database.execute(f"SELECT {_ENTRIES} WHERE {where} AND instr(lower(CAST(data AS TEXT)), ?)", [*values, part])
        found: set[str] = set()
        for row in rows:
            if row[1] not in found and fits(self._entry(row, read_pieces(self._database, row[-1:])).event):
                found.add(row[1])
        return found

    def state(self) -> tuple[int, int]:
        """The number of the newest entry, and how often entries were deleted or the file was written anew."""
        query = "SELECT (SELECT max(seq) FROM entries), (SELECT max(count) FROM deletions)"
        newest, deletions = self._patiently(lambda: self._database.execute(query).fetchone())
        return newest or 0, deletions or 0

    def changed(self) -> bool:
        """Whether another process has written since the last call."""
        (seen,) = self._patiently(lambda: self._database.execute("PRAGMA data_version").fetchone())
        before, self._seen = self._seen, seen
        return bool(before != seen)

    def _select(self, query: Query, after: int, limit: int) -> list[Entry]:
        where, values = query.where()
        rows = self._database.execute(
            f"SELECT {_ENTRIES} WHERE {where} AND seq > ? ORDER BY seq LIMIT ?", [*values, after, limit]
        ).fetchall()
        kept = read_pieces(self._database, (row[-1] for row in rows))
        return [self._entry(row, kept) for row in rows]

    def _entry(self, row: tuple[int, str, str, float, str, str, bytes], kept: Mapping[int, bytes]) -> Entry:
        # SQLite keeps a value of any kind in a column, and the file may come from a stranger.
        seq, run, thread, time, kind, fields, data = row
        if not (type(run) is type(thread) is type(kind) is type(fields) is str and type(time) is float and 0 <= time < LAST_DAY):
            raise faults.damaged(self.path, f"damaged (entry {seq} has a value of a wrong kind)")
        try:
            event = decode(kind, fields, whole(data, kept, self._tuning.largest))
        except NOT_UNDERSTOOD as fault:
            raise self._not_understood(seq, kind) from fault
        return Entry(run, thread, time, event, seq)

    def _not_understood(self, seq: int, kind: Any) -> StateDamaged:
        return faults.damaged(self.path, f"damaged (entry {seq}, a {ascii(str(kind)[:40])[1:-1]}, cannot be understood)")

    # ---------------------------------------------------------------- both

    @property
    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            raise faults.closed(self.path)
        return self._open

    def _patiently(self, work: Callable[[], T]) -> T:
        def attempt() -> T:
            with faults.told(self.path):
                return work()

        return faults.patiently(attempt, self._tuning.patience)
