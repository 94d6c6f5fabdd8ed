"""Keeps answers in SQLite, in a file of its own, with blocking calls that any thread may make."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson

from mmos.cache.kept import Figures, Kept, Terms
from mmos.cache.keys import Key
from mmos.errors import StateBusy, StateError, StateFull
from mmos.journal import faults
from mmos.journal.connect import opening

T = TypeVar("T")

FILE = "cache.db"
APPLICATION = 0x4D4D4F43  # MMOC
VERSION = 1
_AT_ONCE = 64
"""Answers that are dropped at once when the file is full."""
_TABLES = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY, rest BLOB, form BLOB, model TEXT NOT NULL, run TEXT NOT NULL, made REAL NOT NULL, used REAL NOT NULL,
    seconds REAL NOT NULL, hits INTEGER NOT NULL DEFAULT 0, answer BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_by_form ON answers (rest, form) WHERE rest IS NOT NULL;
CREATE INDEX answers_by_use ON answers (used);
CREATE INDEX answers_by_run ON answers (run);
CREATE TABLE models (place TEXT, what TEXT, data BLOB NOT NULL, PRIMARY KEY (place, what)) WITHOUT ROWID;
"""


class Shelf:
    """Answers by their keys. Every method raises `StateError` if the file cannot be used; nothing depends on it."""

    def __init__(self, folder: Path | None, terms: Terms | None = None, clock: Callable[[], float] = time.time) -> None:
        self.path = folder / FILE if folder else Path(":memory:")
        self._folder = folder
        self._terms = terms or Terms()
        self._clock = clock
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        """A connection of its own, so that nobody who reads waits for a thread that writes."""
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._closed = False

    # ---------------------------------------------------------------- answers

    def find(self, keys: Iterable[Key]) -> tuple[bytes, Kept] | None:
        """The answer to exactly this request, with its key."""
        return self._read(lambda database: next(filter(None, (self._exact(database, key) for key in keys)), None))

    def alike(self, keys: Iterable[Key]) -> list[tuple[bytes, Kept]]:
        """The answers to requests with other words of the same form, with their keys, the newest first."""
        return self._read(lambda database: [each for key in keys if key.rest for each in self._of_form(database, key)])

    def use(self, key: bytes) -> None:
        """Count an answer as used."""
        count = "UPDATE answers SET hits = hits + 1, used = max(used, ?) WHERE key = ?"
        self._write(lambda database: database.execute(count, (self._clock(), key)))

    def add(self, key: Key, kept: Kept) -> None:
        """Keep an answer. It replaces an older one to the same request."""
        answer = orjson.dumps([kept.host, kept.content, kept.thinking, kept.tokens, key.words])
        row = (key.exact, key.rest or None, key.form or None, kept.model, kept.run, kept.made, kept.made, kept.seconds, answer)

        def insert(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT OR REPLACE INTO answers (key, rest, form, model, run, made, used, seconds, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            self._make_room(database)

        if len(answer) <= self._terms.most // 4:
            self._write(insert)

    def forget(self, *, model: str = "", older: float | None = None, runs: Iterable[str] | None = None) -> int:
        """Delete the answers of a model, those that are older than so many seconds, or those of some runs; without arguments all. Returns their number."""
        terms: list[tuple[str, Any]] = []
        if model:
            terms.append(("model = ?", [model]))
        if older is not None:
            terms.append(("made < ?", [self._clock() - older]))
        if runs is not None:
            terms.append(("run IN (SELECT value FROM json_each(?))", [orjson.dumps([*runs]).decode()]))
        where = " AND ".join(term for term, _ in terms) or "TRUE"
        values = [value for _, some in terms for value in some]

        def delete(database: sqlite3.Connection) -> int:
            count = database.execute(f"DELETE FROM answers WHERE {where}", values).rowcount
            if count:
                _give_back(database)
            return count

        return self._write(delete)

    def figures(self) -> list[Figures]:
        """What is there, by model."""
        query = """SELECT model, count(*), sum(length(answer)), sum(hits), sum(hits * seconds), min(made), max(made)
            FROM answers WHERE made >= ? GROUP BY model ORDER BY model"""
        return self._read(lambda database: [Figures(*row) for row in database.execute(query, [self._since])])

    # ---------------------------------------------------------------- what hosts said of models

    def note(self, place: str, what: str, data: Any) -> None:
        """Keep what the hosts last said of a model, for times when they say nothing."""
        row = (place, what, orjson.dumps(data))
        self._write(lambda database: database.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?)", row))

    def noted(self, place: str, what: str) -> Any:
        """What the hosts last said of a model. None: nothing."""

        def read(database: sqlite3.Connection) -> Any:
            row = database.execute("SELECT data FROM models WHERE place = ? AND what = ?", (place, what)).fetchone()
            return None if row is None else orjson.loads(row[0])

        return self._read(read)

    # ---------------------------------------------------------------- the file

    @property
    def size(self) -> int:
        """Its size on the disk, in bytes."""
        return sum(file.stat().st_size for file in (self.path, self._beside("wal")) if file.exists())

    @property
    def exists(self) -> bool:
        return self.path.exists()

    def open(self) -> None:
        """Open the file, and make it if there is none. Otherwise the first use does it."""
        self._read(lambda _: None)

    def close(self) -> None:
        with self._reading, self._writing:
            self._closed = True
            for database in (self._reader, self._writer):
                if database is not None:
                    database.close()
            self._reader = self._writer = None

    def remove(self) -> None:
        """Delete the file, whatever is in it. For one that cannot be read."""
        self.close()
        with _told(self.path):
            for file in (self.path, self._beside("wal"), self._beside("shm")):
                file.unlink(missing_ok=True)

    def _beside(self, what: str) -> Path:
        return self.path.with_name(f"{self.path.name}-{what}")

    @property
    def _since(self) -> float:
        return self._clock() - self._terms.keep

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._writing, _told(self.path):
            if self._closed:
                raise StateError(f"{self.path}: the cache is closed.")
            if self._writer is None:
                self._writer = self._connect()
            return work(self._writer)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._folder is None:
            return self._write(work)
        with self._reading, _told(self.path):
            if self._reader is None:
                self._write(lambda _: None)  # there may be no file yet
                self._reader = sqlite3.connect(str(self.path), timeout=0, isolation_level=None, check_same_thread=False)
                self._reader.execute("PRAGMA trusted_schema = OFF")
                self._reader.execute("PRAGMA query_only = ON")
            return work(self._reader)

    def _connect(self) -> sqlite3.Connection:
        if self._folder is not None:
            _make_private(self.path, [self.path, self._beside("wal"), self._beside("shm")])
        with opening(self._folder, self._terms.patience) if self._folder else nullcontext(), ExitStack() as undo:
            database = sqlite3.connect(str(self.path), timeout=self._terms.patience, isolation_level=None, check_same_thread=False)
            undo.callback(database.close)
            _prepare(database, self.path)
            database.execute("DELETE FROM answers WHERE made < ?", [self._since])
            undo.pop_all()
        return database

    # ---------------------------------------------------------------- rows

    def _exact(self, database: sqlite3.Connection, key: Key) -> tuple[bytes, Kept] | None:
        query = "SELECT model, run, made, seconds, answer FROM answers WHERE key = ? AND made >= ?"
        row = database.execute(query, (key.exact, self._since)).fetchone()
        return None if row is None else (key.exact, _kept(row))

    def _of_form(self, database: sqlite3.Connection, key: Key) -> list[tuple[bytes, Kept]]:
        rows = database.execute(
            "SELECT key, model, run, made, seconds, answer FROM answers WHERE rest = ? AND form = ? AND made >= ? ORDER BY made DESC LIMIT 4",
            (key.rest, key.form, self._since),
        ).fetchall()
        return [(row[0], _kept(row[1:])) for row in rows]

    def _make_room(self, database: sqlite3.Connection) -> None:
        dropped = False
        while _bytes_in(database) > self._terms.most:
            oldest = "SELECT key FROM answers ORDER BY used LIMIT ?"
            if not database.execute(f"DELETE FROM answers WHERE key IN ({oldest})", [_AT_ONCE]).rowcount:
                break
            dropped = True
        if dropped:
            _give_back(database)


def forget_runs(folder: Path | None, runs: Iterable[str]) -> int:
    """Delete the kept answers of these runs, if the folder has any. Returns their number."""
    if folder is None or not (folder / FILE).exists():
        return 0
    shelf = Shelf(folder, Terms(patience=10.0))
    try:
        return shelf.forget(runs=runs)
    finally:
        shelf.close()


def _make_private(path: Path, files: Iterable[Path]) -> None:
    for file in files:
        if file.is_symlink():
            raise StateError(f"{file}: this is a symbolic link. MMOS does not use it.", next_step="Find out who made it and remove it.")
    with suppress(FileExistsError):  # it contains answers. SQLite gives the files beside it the same mode
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    for pragma in ("trusted_schema = OFF", "secure_delete = ON", "synchronous = NORMAL", "journal_size_limit = 1048576"):
        database.execute(f"PRAGMA {pragma}")
    if _is_ours(database, path):
        return
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")  # of several processes that begin at once, one makes the tables
    with database:
        if not _is_ours(database, path):
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {VERSION}")


def _is_ours(database: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a cache, and not empty. Raises if it is something else."""
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[
        0
    ]  # first: whoever makes them meanwhile says with them what they are
    found = tuple(database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if found == (APPLICATION, VERSION):
        return True
    if tables:
        raise _damaged(path, "no cache of this version of MMOS wrote it")
    return False


def _bytes_in(database: sqlite3.Connection) -> int:
    pages, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def _give_back(database: sqlite3.Connection) -> None:
    """Shorten the file, and take the deleted texts out of the write-ahead file."""
    database.executescript("PRAGMA incremental_vacuum")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _kept(row: tuple[Any, ...]) -> Kept:
    model, run, made, seconds, answer = row
    host, content, thinking, tokens, words = orjson.loads(answer)
    if not all(isinstance(text, str) for text in (model, run, host, content, thinking, words)):
        raise ValueError("an answer has a value of a wrong kind")
    return Kept(model, host, run, content, thinking, int(tokens), float(seconds), float(made), words)


def _damaged(path: Path, why: str) -> StateError:
    return StateError(f"{path}: the cache cannot be used: {why}.", next_step="`mmos cache clear --all` makes a new one.")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn errors inside the block into StateError."""
    try:
        yield
    except sqlite3.Error as fault:
        kind = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StateBusy(f"{path}: another process keeps the cache locked.", next_step="Wait until that process ends.") from fault
        if kind == sqlite3.SQLITE_FULL:
            raise StateFull(f"{path}: the disk has no room for the cache.", next_step="Free some space, or set cache.max_mb.") from fault
        raise _damaged(path, str(fault)) from fault
    except OSError as fault:
        raise faults.of_system(path, fault) from fault
    except (ValueError, TypeError, IndexError) as fault:  # what is in the file makes no sense
        raise _damaged(path, str(fault)) from fault
