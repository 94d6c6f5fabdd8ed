"""Opens the journal's file: for writing, for reading alone, or in memory; a file that is not ours is left as it is."""

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
    """How a journal writes; the defaults are for one machine whose power seldom fails."""

    synchronous: Literal["normal", "full"] = "normal"
    """`normal` survives the death of the process, `full` a power cut too, for one disk flush more at each commit."""
    linger: float = 0.05
    """Seconds that entries wait for others to be committed with, unless somebody waits for them."""
    linger_followed: float = 0.005
    """The same while somebody follows: what happens is to be seen as it happens."""
    patience: float = 30.0
    """Seconds that a write waits while other processes hold the file."""
    give_way_after: float = 0.01
    """Seconds that the thread may wait for the interpreter before the event loop pauses for it, for a millisecond at most."""
    watch_every: float = 0.2
    """Seconds between looks for what other processes wrote, while somebody follows."""
    max_pages: int = 0
    """The size that the file may reach, in pages of 4 KiB; 0: as large as the disk."""


DEFAULTS = Tuning()


def in_memory(tuning: Tuning) -> sqlite3.Connection:
    return _prepared(":memory:", Path(":memory:"), tuning, settle=True)


def for_writing(path: Path, tuning: Tuning) -> sqlite3.Connection:
    """Creates the file where there is none; to be called under `opening`."""
    with faults.told(path):
        # It holds prompts. SQLite gives the files beside it the same mode.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return _prepared(_address(path, "rw"), path, tuning, settle=True)


def for_reading(path: Path, tuning: Tuning) -> sqlite3.Connection:
    """A file that does not exist, or that nobody has begun, reads as an empty journal."""
    if not exists(path):
        return in_memory(tuning)
    with faults.told(path):
        try:
            return _prepared(_address(path, "ro"), path, tuning)
        except sqlite3.OperationalError as fault:
            if not faults.lacks_index(fault):
                raise
        # As it stands the file is whole, unless its newest entries lie apart.
        apart = path.with_name(f"{path.name}-wal")
        if not (apart.exists() and apart.stat().st_size):
            return _prepared(_address(path, _AS_IT_STANDS), path, tuning)
        try:
            return alone(path, tuning)
        except sqlite3.OperationalError:
            raise faults.lies_apart(apart) from None


def alone(path: Path, tuning: Tuning) -> sqlite3.Connection:
    """As the only one who has the file open: the index is then in memory, and no room is needed on the disk."""
    return _prepared(_address(path, "rw"), path, tuning, alone=True)


def exists(path: Path) -> bool:
    """Whether there is a journal; raises where there is something else. Looks at the file as it stands and leaves nothing beside it.

    Through SQLite: a process that opens and closes the file on its own loses the locks of its other connections.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise faults.not_a_folder(path.parent)
    with faults.told(path):
        if not path.exists() or not path.stat().st_size:
            return False
        with closing(_connect(_address(path, _AS_IT_STANDS), DEFAULTS)) as database:
            # Lets a file pass that is shorter than it says: in the middle of a checkpoint it is, and the pages are in the file beside it.
            database.execute("PRAGMA writable_schema = ON")
            schema.check_ours(database, path)
    return True


@contextmanager
def opening(folder: Path, patience: float) -> Iterator[None]:
    """One process at a time opens a folder for writing, so that creating, migrating and sweeping meet nobody."""
    lock = FileLock(folder / "journal.lock")
    faults.patiently(lock.take, patience)
    try:
        yield
    finally:
        lock.release()


def _address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _connect(address: str, tuning: Tuning) -> sqlite3.Connection:
    # isolation_level=None: transactions begin where we say. The thread that uses the connection is the writer's own.
    pause = min(1.0, tuning.patience)
    return sqlite3.connect(address, timeout=pause, isolation_level=None, check_same_thread=False, uri=True)


def _prepared(address: str, path: Path, tuning: Tuning, *, settle: bool = False, alone: bool = False) -> sqlite3.Connection:
    """A connection that is closed again where something is wrong with the file."""
    with ExitStack() as undo:
        database = undo.enter_context(closing(_connect(address, tuning)))
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA secure_delete = ON")
        if settle:
            _settle(database, path, tuning)
        schema.check_readable(database, path)
        undo.pop_all()
    return database


def _settle(database: sqlite3.Connection, path: Path, tuning: Tuning) -> None:
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA cell_size_check = ON")
    database.execute(f"PRAGMA synchronous = {tuning.synchronous}")
    # Created first with a rollback journal: so the mark of the application is in the file itself from its first commit on.
    schema.migrate(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    if tuning.max_pages:
        database.execute(f"PRAGMA max_page_count = {tuning.max_pages}")
