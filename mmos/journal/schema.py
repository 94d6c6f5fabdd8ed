"""Defines the schema of the journal's file: the mark of a journal, and the migrations from an empty file to the current version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from mmos.journal import faults

APPLICATION = 0x4D4D4F53
"""The letters MMOS; SQLite keeps them in the file's header."""

SHARED = ("config_kept", "frame_kept")
"""The kinds of events whose texts all threads share."""

LISTING = (
    *SHARED,
    "run_started",
    "run_resumed",
    "run_finished",
    "run_rated",
    "cancel_requested",
    "forked",
    "thread_named",
    "question_asked",
    "question_answered",
    "model_learned",
    "batch_started",
)
"""The kinds of events that are read across runs. One index has only these."""

ONLY_LISTING = "kind < 0"
"""A query must contain this text to use the index, because SQLite cannot infer it from parameters."""

OLDEST = 2
"""The version that the first step makes. Journals of version 1 held each text many times; no release wrote them."""

# Never change a published step. Add the next one below it.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Of runs and threads. A thread has the thread 0. No entry of a run has a number that is smaller than `since`.
        "CREATE TABLE names (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, thread INTEGER NOT NULL, since INTEGER NOT NULL)",
        "CREATE UNIQUE INDEX names_name ON names(name, thread)",
        # What the values in the data of an entry mean. Kinds for lists have negative numbers.
        "CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, fields TEXT NOT NULL)",
        "CREATE TABLE texts (id INTEGER PRIMARY KEY AUTOINCREMENT, piece BLOB NOT NULL)",  # a text has consecutive rows
        "CREATE TABLE deletions (count INTEGER NOT NULL)",  # one row: how often somebody has deleted entries
        "INSERT INTO deletions VALUES (0)",
        """CREATE TABLE entries (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, thread INTEGER NOT NULL, time REAL NOT NULL,
            kind INTEGER NOT NULL, data BLOB NOT NULL)""",
        "CREATE INDEX entries_thread ON entries(thread)",
        f"CREATE INDEX entries_listing ON entries(kind) WHERE {ONLY_LISTING}",
    ),
)
NEWEST = OLDEST + len(MIGRATIONS) - 1


def check_ours(database: sqlite3.Connection, path: Path) -> None:
    """Raise if the file is not a journal, or if this version does not understand it."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise faults.damaged(path, "not a journal (it is the SQLite file of another application)")
    _check_version(path, version(database))


def check_readable(database: sqlite3.Connection, path: Path) -> None:
    """Check an open file, including pages in the write-ahead file, and that its end can be read."""
    check_ours(database, path)
    _check_shape(database, path)
    database.execute("SELECT seq, run, thread, time, kind, data FROM entries ORDER BY seq DESC LIMIT 1").fetchall()


def migrate(database: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the current version. The caller must be the only process that is opening the file."""
    if database.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchone():
        check_ours(database, path)
        _check_shape(database, path)
    found = version(database)
    if found == NEWEST:
        return
    database.execute("BEGIN")
    with database:
        if not found:
            # This must be the first write. It is inside the transaction, so that no process sees a half-made file.
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for statement in _statements(found, NEWEST):
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {NEWEST}")


def version(database: sqlite3.Connection) -> int:
    (found,) = database.execute("PRAGMA user_version").fetchone()
    return int(found)


def _check_version(path: Path, found: int) -> None:
    if found > NEWEST:
        raise faults.too_new(path, found, NEWEST)
    if found < OLDEST:
        raise faults.too_old(path, found, OLDEST)


def _check_shape(database: sqlite3.Connection, path: Path) -> None:
    """Raise if the file holds anything but what the migrations make. A view or a trigger of a stranger would run."""
    found = set(
        database.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE NOT (type = 'table' AND name GLOB 'sqlite_stat[14]')")
    )
    expected = _shape(version(database))
    if strange := sorted(f"{kind} {name}" for kind, name, *_ in found - expected):
        raise faults.damaged(path, f"not a journal that mmos made (it has the {ascii(strange[0][:80])[1:-1]})")
    if found != expected:
        raise faults.damaged(path, "damaged (a table or an index is missing)")


@cache
def _shape(version: int) -> frozenset[tuple[str, str, str, str | None]]:
    with closing(sqlite3.connect(":memory:")) as empty:
        for statement in _statements(0, version):
            empty.execute(statement)
        return frozenset(empty.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def _statements(found: int, wanted: int) -> list[str]:
    """What brings a file of one version to another; 0 is an empty file."""
    return [statement for step in MIGRATIONS[max(0, found - OLDEST + 1) : wanted - OLDEST + 1] for statement in step]
