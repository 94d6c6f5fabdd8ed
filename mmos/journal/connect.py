"""Opens the journal's file for writing, for reading only, or in memory. It never changes a file that is not a journal."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmos.journal import faults, schema
from mmos.journal.process import FileLock

FILE = "journal.db"

_AS_IT_STANDS = "ro&immutable=1"


@dataclass(frozen=True)
class Tuning:
    """How a journal writes. The defaults suit one machine with reliable power."""

    synchronous: Literal["normal", "full"] = "normal"
    """`normal` survives the death of the process. `full` also survives a power cut, and flushes the disk in each commit, not only before a call with effects."""
    linger: float = 0.005
    """Seconds that entries wait for more entries before a commit, if no caller waits for them."""
    patience: float = 30.0
    """Seconds that a write waits while other processes hold the file."""
    give_way_after: float = 0.01
    """Seconds that the thread may wait for the interpreter lock before the event loop pauses for it, for a millisecond at most."""
    watch_every: float = 0.2
    """Seconds between checks for entries of other processes, while there are followers."""
    largest: int = 1 << 28
    """The bytes of the largest event. The journal neither writes nor reads a larger one."""
    remembered: int = 1 << 26
    """The bytes of the texts, names and numbers that a process remembers, more or less. If it has more, it forgets all, and looks up what it needs."""
    max_pages: int = 0
    """The largest size of the file, in pages of 4 KiB; 0 means no limit."""


DEFAULTS = Tuning()


def in_memory(tuning: Tuning) -> sqlite3.Connection:
    return _prepared(":memory:", Path(":memory:"), tuning, settle=True)


def for_writing(path: Path, tuning: Tuning) -> sqlite3.Connection:
    """Open the file for writing, and create it if it does not exist. Call this under `opening`."""
    with faults.told(path):
        # It contains prompts. SQLite gives the files beside it the same mode.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return _prepared(_address(path, "rw"), path, tuning, settle=True)


def for_reading(path: Path, tuning: Tuning) -> sqlite3.Connection:
    """Open the file for reading. A missing or empty file reads as an empty journal."""
    if not exists(path):
        return in_memory(tuning)
    with faults.told(path):
        try:
            return _prepared(_address(path, "ro"), path, tuning)
        except sqlite3.OperationalError as fault:
            if not faults.lacks_index(fault):
                raise
        # The main file alone is complete, if the write-ahead file has no newer entries.
        apart = path.with_name(f"{path.name}-wal")
        if not (apart.exists() and apart.stat().st_size):
            return _prepared(_address(path, _AS_IT_STANDS), path, tuning)
        try:
            return alone(path, tuning)
        except sqlite3.OperationalError:
            raise faults.lies_apart(apart) from None


def alone(path: Path, tuning: Tuning) -> sqlite3.Connection:
    """Open the file exclusively. The index is then in memory and needs no room on the disk."""
    return _prepared(_address(path, "rw"), path, tuning, alone=True)


def exists(path: Path) -> bool:
    """Whether there is a journal. Raises if there is another kind of file. It reads the main file only and creates no other.

    It uses SQLite, because a process that opens and closes the file itself loses the locks of its other connections.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise faults.not_a_folder(path.parent)
    with faults.told(path):
        if not path.exists() or not path.stat().st_size:
            return False
        with closing(_connect(_address(path, _AS_IT_STANDS), DEFAULTS)) as database:
            # Accept a file that is shorter than its header says. In the middle of a checkpoint it is, and the write-ahead file has the pages.
            database.execute("PRAGMA writable_schema = ON")
            schema.check_ours(database, path)
    return True


@contextmanager
def opening(folder: Path, patience: float) -> Iterator[None]:
    """Hold the folder's lock, so that only one process at a time creates, migrates and sweeps."""
    lock = FileLock(folder / "journal.lock")
    faults.patiently(lock.take, patience)
    try:
        yield
    finally:
        lock.release()


def _address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _connect(address: str, tuning: Tuning) -> sqlite3.Connection:
    # isolation_level=None: the code begins transactions itself. Only the writer's thread uses the connection.
    pause = min(1.0, tuning.patience)
    database = sqlite3.connect(address, timeout=pause, isolation_level=None, check_same_thread=False, uri=True)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def _prepared(address: str, path: Path, tuning: Tuning, *, settle: bool = False, alone: bool = False) -> sqlite3.Connection:
    """A connection. It is closed again if something is wrong with the file."""
    with ExitStack() as undo:
        database = undo.enter_context(closing(_connect(address, tuning)))
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA secure_delete = ON")
        if settle:
            _settle(database, path, tuning)
        elif not alone:
            database.execute("PRAGMA query_only = ON")
        schema.check_readable(database, path)
        undo.pop_all()
    return database


def _settle(database: sqlite3.Connection, path: Path, tuning: Tuning) -> None:
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA cell_size_check = ON")
    database.execute(f"PRAGMA synchronous = {tuning.synchronous}")
    # First with a rollback journal, so that the main file has the application's mark from its first commit on.
    schema.migrate(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    if tuning.max_pages:
        database.execute(f"PRAGMA max_page_count = {tuning.max_pages}")
