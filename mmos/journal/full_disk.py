"""Deletes from a journal on a full disk, where SQLite itself has no room to delete safely."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeVar

from mmos.journal import connect
from mmos.journal.connect import Tuning
from mmos.journal.rows import AT_ONCE, Rows

T = TypeVar("T")

_PAGES_AT_ONCE = 256

# The write-ahead file, as https://www.sqlite.org/fileformat2.html#walformat describes it.
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_LITTLE_ENDIAN = 0x377F0682


class Cramped:
    """The journal's file without a write-ahead file, opened exclusively."""

    def __init__(self, path: Path, tuning: Tuning) -> None:
        self._path = path
        try:
            self.database = _alone(path, tuning)
        except sqlite3.OperationalError as fault:
            if not _is_full(fault):
                raise
            fold_in(path)
            self.database = _alone(path, tuning)
        self._beside("shm").unlink(missing_ok=True)  # no other process uses it

    def close(self) -> None:
        """Close the file. SQLite would leave the file with the old pages, which contain the deleted text."""
        self._let_go()
        self.database.close()

    def delete(self, rows: Rows, where: str, values: Sequence[Any]) -> int:
        """Delete in slices that free their room at once, the newest entries first, so that a run that is partly deleted is still listed."""
        deleted = 0
        while count := self._change(lambda: rows.delete(self.database, where, values, AT_ONCE)):
            deleted += count
            self.give_back()
        return deleted

    def give_back(self) -> None:
        self._change(lambda: give_back(self.database))

    def _change(self, change: Callable[[], T]) -> T:
        """Run a change with the old pages in a file, if the disk has room for it. Otherwise keep the old pages in memory: then a process that is
        killed while it writes those few pages leaves a damaged file."""
        try:
            self.database.execute("PRAGMA journal_mode = DELETE")
            return change()
        except sqlite3.OperationalError as fault:
            if not _is_full(fault):
                raise
        self._let_go()
        self.database.execute("PRAGMA journal_mode = MEMORY")
        return change()

    def _let_go(self) -> None:
        self.database.execute("PRAGMA journal_mode = OFF")
        self._beside("journal").unlink(missing_ok=True)

    def _beside(self, what: str) -> Path:
        return self._path.with_name(f"{self._path.name}-{what}")


def give_back(database: sqlite3.Connection) -> None:
    """Shorten the file by its free pages. This uses a script, because a single statement stops after the first page."""
    database.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")


def _alone(path: Path, tuning: Tuning) -> sqlite3.Connection:
    with ExitStack() as undo:
        database = undo.enter_context(closing(connect.alone(path, tuning)))
        database.execute("PRAGMA journal_mode = MEMORY")
        undo.pop_all()
    return database


def fold_in(path: Path) -> None:
    """Copy the write-ahead file into the main file, as SQLite does when there is room for both.

    It first overwrites existing pages, which can be repeated. Then it empties the write-ahead file to make room for the new pages,
    which are only in memory at that moment.
    """
    ahead = path.with_name(f"{path.name}-wal")
    if not ahead.exists():
        return
    with path.open("r+b") as file, ahead.open("r+b") as log:
        size, count, pages = committed(log.read())
        if not count:
            return
        there = file.seek(0, os.SEEK_END) // size
        for known in (True, False):
            for number, page in pages.items():
                if (number <= there) is known and number <= count:
                    file.seek((number - 1) * size)
                    file.write(page)
            file.flush()
            if known:
                os.fsync(file.fileno())
                log.truncate(0)
        file.truncate(count * size)
        os.fsync(file.fileno())


def committed(log: bytes) -> tuple[int, int, dict[int, bytes]]:
    """The page size, the number of pages after the last commit, and the newest version of each page in the write-ahead file."""
    if len(log) < _HEADER.size:
        return 0, 0, {}
    magic, _, size, _, *rest = _HEADER.unpack_from(log)
    salt, sums = rest[:2], (rest[2], rest[3])
    order = "<" if magic == _LITTLE_ENDIAN else ">"
    count = 0
    pages: dict[int, bytes] = {}
    begun: dict[int, bytes] = {}
    for start in range(_HEADER.size, len(log) - _FRAME.size - size + 1, _FRAME.size + size):
        number, total, *signed = _FRAME.unpack_from(log, start)
        page = log[start + _FRAME.size : start + _FRAME.size + size]
        sums = _summed(sums, order, log[start : start + 8] + page)
        if signed != [*salt, *sums]:
            break  # a frame of an earlier round
        begun[number] = page
        if total:
            count = total
            pages |= begun
            begun.clear()
    return size, count, pages


def _summed(sums: tuple[int, int], order: str, data: bytes) -> tuple[int, int]:
    one, other = sums
    for left, right in struct.iter_unpack(f"{order}II", data):
        one = (one + left + other) & 0xFFFFFFFF
        other = (other + right + one) & 0xFFFFFFFF
    return one, other


def _is_full(fault: sqlite3.Error) -> bool:
    return bool(fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL)
