"""Writes entries into the database, with the texts, names and kinds that they share, and deletes what no entry needs any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from mmos.events import Entry
from mmos.journal.schema import LISTING, ONLY_LISTING, SHARED
from mmos.journal.shapes import Shape
from mmos.journal.texts import SEARCHED, Known, Text, Torn, joined, needed, reference

Line = tuple[Entry, Shape, bytes]
"""An entry and its event, encoded."""
Row = tuple[int, int, float, int, Torn]
"""The numbers of a run and a thread, the time of an entry, the number of its kind, and its data."""

AT_ONCE = 64
"""Rows of one statement."""
_NAME = 250
"""The bytes that a name takes in memory, with what belongs to it besides texts."""


@dataclass
class Memory:
    """What a process knows of the file. It stays true until somebody deletes. New names have the next numbers, if no other process takes them."""

    deletions: int | None = None
    """How often anybody had deleted when this process began to remember."""
    names: int = 0
    """The last number of a name."""
    last: int = 0
    """No entry of a new run has a smaller number."""
    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    threads: dict[str, Known] = field(default_factory=dict)
    shared: Known = field(default_factory=lambda: Known(0))
    """The texts of configurations and frames, which are the same in many threads."""
    kinds: dict[Shape, int] = field(default_factory=dict)
    new: list[Text] = field(default_factory=list)
    """Texts that are not written yet."""
    new_names: list[tuple[int, str, int, int]] = field(default_factory=list)
    size: int = 0

    def rows(self, lines: Sequence[Line]) -> list[Row]:
        """Raises `KeyError` if it does not know a kind."""
        found = []
        for entry, shape, data in lines:
            kind = self.kinds[shape]
            thread = self.threads.get(entry.thread)
            if thread is None:
                thread = self.threads[entry.thread] = Known(self._number(entry.thread, 0))
            run = self.runs.get((entry.run, entry.thread))
            if run is None:
                run = self.runs[entry.run, entry.thread] = self._number(entry.run, thread.id)
            texts = self.shared if shape.kind in SHARED else thread
            found.append((run, thread.id, entry.time, kind, texts.tear(data, self.new)))
        return found

    def _number(self, name: str, thread: int) -> int:
        self.names += 1
        self.new_names.append((self.names, name, thread, self.last + 1))
        self.size += _NAME
        return self.names

    def learn(self, database: sqlite3.Connection, lines: Sequence[Line]) -> None:
        """Look up the runs and threads of these lines, if nothing is known yet, and look up or write their kinds."""
        if self.deletions is None:
            last = (
                "SELECT max(count), (SELECT max(seq) FROM entries), (SELECT seq FROM sqlite_sequence WHERE name = 'names') FROM deletions"
            )
            self.deletions, *numbers = database.execute(last).fetchone()
            self.last, self.names = (number or 0 for number in numbers)
            self._learn_names(database, {(entry.run, entry.thread) for entry, *_ in lines})
            self.size += _look_up(database, self.shared, _newest_shared(database))
        there = {tuple(kind): number for *kind, number in database.execute("SELECT name, version, fields, id FROM kinds")}
        for shape in {shape for _, shape, _ in lines}:
            kind = shape.kind, shape.version, shape.fields
            if kind not in there:
                there[kind] = min([0, *there.values()]) - 1 if shape.kind in LISTING else max([0, *there.values()]) + 1
                database.execute("INSERT INTO kinds(name, version, fields, id) VALUES (?, ?, ?, ?)", (*kind, there[kind]))
            self.kinds[shape] = there[kind]

    def _learn_names(self, database: sqlite3.Connection, runs: set[tuple[str, str]]) -> None:
        there: dict[tuple[str, int], int] = {}
        for some in _slices({name for run in runs for name in run}):
            for name, thread, number in database.execute(f"SELECT name, thread, id FROM names WHERE name IN ({_marks(some)})", some):
                there[name, thread] = number
        for thread in {thread for _, thread in runs if (thread, 0) in there}:
            self.threads[thread] = Known(there[thread, 0])
            self.size += _look_up(database, self.threads[thread], _newest_of(database, there[thread, 0]))
        self.runs = {run: there[key] for run in runs if run[1] in self.threads and (key := (run[0], self.threads[run[1]].id)) in there}


class Rows:
    """The rows of one database."""

    def __init__(self, remembered: int) -> None:
        self.remembered = remembered
        """The bytes that it remembers at most, more or less."""
        self._memory: Memory | None = None

    def insert(self, database: sqlite3.Connection, lines: Sequence[Line]) -> None:
        """Write the lines, and set the numbers of their entries."""
        try:
            last = self._insert(database, lines)
        except sqlite3.IntegrityError:  # Somebody has deleted, or taken a number. Now nothing is remembered.
            last = self._insert(database, lines)
        for seq, (entry, *_) in enumerate(lines, last - len(lines) + 1):
            object.__setattr__(entry, "seq", seq)

    def _insert(self, database: sqlite3.Connection, lines: Sequence[Line]) -> int:
        in_part = database.in_transaction  # The rest of that transaction may fail.
        memory, self._memory = self._memory, None  # This may fail, too.
        if memory is None or in_part or memory.size > self.remembered:
            memory = Memory()
        rows: list[Row] = []
        with suppress(KeyError):
            rows = memory.rows(lines)
        if rows and not (memory.new or memory.new_names) and len(rows) <= AT_ONCE:
            # One statement is one transaction and releases the interpreter lock once. Each further statement may wait for a busy loop.
            memory.last = _insert_entries(database, memory.deletions, rows)
        else:
            with writing(database):
                if not rows:
                    memory.learn(database, lines)
                    rows = memory.rows(lines)
                _insert_shared(database, memory)
                memory.last = _insert_entries(database, memory.deletions, rows)
        if not in_part:
            self._memory = memory
        return memory.last

    def delete(self, database: sqlite3.Connection, where: str, values: Sequence[Any], most: int = -1) -> int:
        """Delete entries, the newest first, and the texts and names that only they have. Returns how many entries it deleted."""
        with writing(database):
            database.execute("UPDATE deletions SET count = count + 1")
            found = database.execute(
                f"SELECT seq, run, thread, kind, data FROM entries WHERE {where} ORDER BY seq DESC LIMIT ?", [*values, most]
            ).fetchall()
            for some in _slices([seq for seq, *_ in found]):
                database.execute(f"DELETE FROM entries WHERE seq IN ({_marks(some)})", some)
            shared = _shared_kinds(database)
            texts: dict[bool, set[range]] = {False: set(), True: set()}
            for *_, kind, data in found:
                texts[kind in shared].update(_needed(data))
            threads = {thread for _, _, thread, *_ in found}
            _delete_texts(database, texts[False], chain.from_iterable(_newest_of(database, thread) for thread in threads))
            _delete_texts(database, texts[True], _newest_shared(database))
            for some in _slices({name for _, run, thread, *_ in found for name in (run, thread)}):
                database.execute(f"DELETE FROM names WHERE id IN ({_marks(some)}) AND NOT EXISTS ({_ENTRY_OF_NAME})", some)
        return len(found)

    def compact(self, database: sqlite3.Connection) -> None:
        """Write the file anew, without kinds that no entry has and without half-empty pages. No number changes."""
        with writing(database):
            database.execute("UPDATE deletions SET count = count + 1")  # other processes then forget the numbers of kinds
            database.execute("DELETE FROM kinds WHERE id NOT IN (SELECT DISTINCT kind FROM entries)")
        database.execute("VACUUM")


_ENTRY_OF_NAME = """SELECT 1 FROM entries
    WHERE entries.thread = CASE names.thread WHEN 0 THEN names.id ELSE names.thread END AND names.id IN (entries.run, entries.thread)"""


@contextmanager
def writing(database: sqlite3.Connection) -> Iterator[None]:
    """A transaction, or a part of the one that is open."""
    if database.in_transaction:
        yield
        return
    database.execute("BEGIN IMMEDIATE")
    with database:
        yield


def runs_there(database: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Those of these runs that have entries."""
    found: set[str] = set()
    for some in _slices(names):
        found.update(name for (name,) in database.execute(f"SELECT name FROM names WHERE thread != 0 AND name IN ({_marks(some)})", some))
    return found


@contextmanager
def temporary_files_in(database: sqlite3.Connection, folder: Path | None) -> Iterator[None]:
    """Let SQLite put temporary files there: they have texts, and `/tmp` may be on another disk and too small."""
    if folder is None:
        yield
        return
    place = str(folder.absolute()).replace("'", "''")
    database.execute(f"PRAGMA temp_store_directory = '{place}'")
    try:
        yield
    finally:
        database.execute("PRAGMA temp_store_directory = ''")


def _insert_entries(database: sqlite3.Connection, deletions: int | None, rows: Sequence[Row]) -> int:
    """Insert entries, and return the number of the last. Raises `IntegrityError` if somebody has deleted since this process began to remember."""
    last = 0
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        values: list[Any] = []
        for run, thread, time, kind, torn in some:
            values += run, thread, time, kind, joined(torn)
        values.insert(1, deletions)
        last = database.execute(_insertion(len(some)), values).lastrowid or 0
    return last


@lru_cache(maxsize=AT_ONCE)
def _insertion(rows: int) -> str:
    values = ["((SELECT ? FROM deletions WHERE count = ?), ?, ?, ?, ?)", *["(?, ?, ?, ?, ?)"] * (rows - 1)]
    return f"INSERT INTO entries(run, thread, time, kind, data) VALUES {', '.join(values)}"


# ---------------------------------------------------------------- texts


def _insert_shared(database: sqlite3.Connection, memory: Memory) -> None:
    """Write new names, and new texts, each into consecutive rows."""
    _add(database, "names(id, name, thread, since)", memory.new_names)
    memory.new_names.clear()
    cut = [(text, text.pieces) for text in memory.new]
    first = _add(database, "texts(piece)", [(piece,) for _, pieces in cut for piece in pieces])
    for text, pieces in cut:
        text.reference = reference(range(first, first + len(pieces)))
        first += len(pieces)
        memory.size += 2 * len(text.content)
    memory.new.clear()


def _shared_kinds(database: sqlite3.Connection) -> list[int]:
    """The kinds of entries whose texts all threads share."""
    return [number for (number,) in database.execute(f"SELECT id FROM kinds WHERE name IN ({_marks(SHARED)})", SHARED)]


def _newest_shared(database: sqlite3.Connection) -> Iterator[Any]:
    """The data of these entries, the newest first. The index has the order for each kind, so nothing is sorted, and most readers stop early."""
    newest = f"SELECT seq, data FROM entries WHERE kind = ? AND {ONLY_LISTING} ORDER BY seq DESC"
    rows = merge(*(database.execute(newest, [kind]) for kind in _shared_kinds(database)), key=itemgetter(0), reverse=True)
    return (data for _, data in rows)


def _newest_of(database: sqlite3.Connection, thread: Any) -> Iterator[Any]:
    """The data of a thread's entries, the newest first."""
    return (data for (data,) in database.execute("SELECT data FROM entries WHERE thread IS ? ORDER BY seq DESC", [thread]))


def _delete_texts(database: sqlite3.Connection, texts: set[range], newest: Iterable[Any]) -> None:
    """Delete these texts, except those that other entries need."""
    for data in newest if texts else ():
        texts.difference_update(_needed(data))
        if not texts:
            break
    for condition, bounds in _within(texts):
        database.execute(f"DELETE FROM texts WHERE {condition}", bounds)


def _look_up(database: sqlite3.Connection, known: Known, newest: Iterator[Any]) -> int:
    """Know the texts of the last entries. Returns how many bytes they take."""
    entries = list(islice(newest, SEARCHED))
    pieces = read_pieces(database, entries)
    for text in (text for data in reversed(entries) for text in _needed(data)):
        with suppress(LookupError, TypeError, ValueError):  # A stranger may have written it.
            known.add(Text(b"".join(map(pieces.__getitem__, text)), reference(text)))
    return 2 * sum(len(piece) for piece in pieces.values() if isinstance(piece, bytes))


def read_pieces(database: sqlite3.Connection, entries: Iterable[Any]) -> Mapping[int, bytes]:
    """The rows of texts that these data need, as far as there are any."""
    found: dict[int, bytes] = {}
    for condition, bounds in _within({text for data in entries for text in _needed(data)}):
        found.update(database.execute(f"SELECT id, piece FROM texts WHERE {condition}", bounds))
    return found


def _needed(data: Any) -> list[range]:
    """The texts that an entry needs; none if a stranger wrote something that is not data."""
    return needed(data) if isinstance(data, bytes) else []


# ---------------------------------------------------------------- statements


def _add(database: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]]) -> int:
    """Write rows, and return the number of the first. The others follow it."""
    first = 0
    for some in _slices(rows):
        statement = f"INSERT INTO {into} VALUES {', '.join([f'({_marks(some[0])})'] * len(some))}"
        last = database.execute(statement, list(chain.from_iterable(some))).lastrowid or 0
        first = first or last - len(some) + 1
    return first


def _within(texts: Iterable[range]) -> Iterator[tuple[str, list[int]]]:
    """Conditions that select the rows of texts. Texts that were written together become one range."""
    merged: list[list[int]] = []
    for text in sorted(texts, key=lambda rows: rows.start):
        if merged and text.start <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], text.stop - 1)
        else:
            merged.append([text.start, text.stop - 1])
    for some in _slices(merged):
        yield " OR ".join(["id BETWEEN ? AND ?"] * len(some)), list(chain.from_iterable(some))


def _slices(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, 100)):
        yield some


def _marks(some: Sequence[Any]) -> str:
    return ", ".join("?" * len(some))
