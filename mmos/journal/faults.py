"""Turns errors of SQLite and the file system into errors with the path and the next step."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from mmos.errors import StateBusy, StateDamaged, StateError, StateFull, StateReadOnly, StateTooNew, StateTooOld

T = TypeVar("T")

_PAUSE = 0.01
_NO_INDEX = (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_SHMLOCK)


def damaged(path: Path, what: str) -> StateDamaged:
    return StateDamaged(
        f"{path}: {what}. MMOS did not change it.",
        next_step="Replace it by a good copy, or move it away and start with an empty journal, or name another folder with --state.",
    )


def too_new(path: Path, found: int, known: int) -> StateTooNew:
    return StateTooNew(
        f"{path}: a newer mmos wrote it (its schema is {found}, this version knows up to {known}). MMOS did not change it.",
        next_step="Update mmos, or name another folder with --state.",
    )


def too_old(path: Path, found: int, oldest: int) -> StateTooOld:
    return StateTooOld(
        f"{path}: a development version of mmos wrote it (its schema is {found}, this version reads {oldest} and later). MMOS did not change it.",
        next_step="Move it away and start with an empty journal, or name another folder with --state.",
    )


def read_only(path: Path, what: str) -> StateReadOnly:
    return StateReadOnly(
        f"{path}: {what}.",
        next_step="Make it writable (check the mount, the owner and the permissions), or name another folder with --state.",
    )


def not_writable(path: Path) -> StateReadOnly:
    """Why the file cannot be written, as far as the system says."""
    mounted = hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY
    return read_only(path, "the file system is mounted read-only" if mounted else "you may read it but not write it")


def lies_apart(path: Path) -> StateReadOnly:
    return StateReadOnly(
        f"{path}: this file has the newest entries, and MMOS cannot read them in a folder that it may not write to.",
        next_step="Copy the folder to a place where you may write, then name the copy with --state.",
    )


def full(path: Path) -> StateFull:
    return StateFull(
        f"{path}: the disk has no room left; earlier entries are intact.",
        next_step="Free some space (`mmos runs delete` works on a full disk, too), or name a folder on another disk with --state.",
    )


def busy(path: Path) -> StateBusy:
    return StateBusy(f"{path}: another process keeps it locked.", next_step="Wait until that process ends, or end it, then try again.")


def not_alone(path: Path) -> StateBusy:
    return StateBusy(
        f"{path}: the disk has no room left. Then deleting works only if no other process uses the journal.",
        next_step="Leave every chat and end every run that uses it, then try again.",
    )


def too_large(path: Path, kind: str, size: int, largest: int) -> StateError:
    return StateError(
        f"{path}: a {kind} event of {size:,} bytes is too large. The journal takes at most {largest:,} bytes.",
        next_step="Use shorter texts, or smaller files.",
    )


def closed(path: Path) -> StateError:
    return StateError(f"{path}: the journal is closed.", next_step="Open it again.")


def not_a_folder(path: Path) -> StateError:
    return StateError(f"{path}: this is a file, but the journal needs a folder.", next_step="Name a folder with --state.")


def lacks_index(fault: sqlite3.Error) -> bool:
    """Whether SQLite could not create the index of the write-ahead file (32 KiB), which it also needs for reading."""
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    return code in _NO_INDEX or code & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)


def of_sqlite(path: Path, fault: sqlite3.Error) -> StateError:
    """The state error for an error of SQLite. `sqlite_errorcode` is the extended code, and its low byte is the kind."""
    if isinstance(fault, sqlite3.OperationalError) and not hasattr(fault, "sqlite_errorcode"):  # Python's own error, which quotes the text
        return damaged(path, "damaged (it holds a text that is not UTF-8)")
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # SQLite's only code for a disk without room for the index
        return full(path)
    match code & 0xFF:
        # The statements are right for this schema. If SQLite finds an error in one, the file has another schema.
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return damaged(path, f"damaged ({fault})")
        case sqlite3.SQLITE_FULL:
            return full(path)
        case sqlite3.SQLITE_CANTOPEN:
            return read_only(path, f"cannot be opened ({fault})")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return read_only(path, f"cannot be written ({fault})")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return busy(path)
    return StateError(f"{path}: {fault}.", next_step="Check the disk and the folder's file system, or name another folder with --state.")


def of_system(path: Path, fault: OSError) -> StateError:
    match fault.errno:
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return read_only(path, f"may not be opened or written ({fault.strerror})")
        case errno.ENOSPC | errno.EDQUOT:
            return full(path)
        case errno.EEXIST | errno.ENOTDIR:
            return not_a_folder(path)
    return StateError(f"{path}: {fault.strerror or fault}.", next_step="Check the folder, or name another one with --state.")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn errors inside the block into StateError."""
    try:
        yield
    except sqlite3.Error as fault:
        raise of_sqlite(path, fault) from fault
    except OSError as fault:
        raise of_system(path, fault) from fault


def patiently(attempt: Callable[[], T], patience: float) -> T:
    """Try again while another process holds the lock. It sleeps, on a thread, because a file lock sends no event when it is released."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return attempt()
        except StateBusy:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)
