"""Records which processes write a journal. Each holds an OS lock on its own file, which a kill -9 releases at once."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from mmos.files import NO_FOLLOW, NO_WAIT
from mmos.journal import faults
from mmos.journal.ids import is_id

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, *, shared: bool, wait: bool = False) -> bool:  # noqa: ARG001 - Windows has no shared locks here
        try:
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # LK_LOCK waits ten seconds
        except OSError:
            return False
        return True

else:
    import fcntl

    # flock, because a process loses its fcntl locks when it closes any other handle on the same file.
    def _lock(handle: int, *, shared: bool, wait: bool = False) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


class FileLock:
    """A file that one process at a time holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def take(self, *, wait: bool = False) -> None:
        """`wait`: until the process that holds it releases it. For locks that are held for a moment only."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600)
        if not _lock(handle, shared=False, wait=wait):
            os.close(handle)
            raise faults.busy(self.path)
        self._handle = handle

    def release(self, *, remove: bool = False) -> None:
        if self._handle is None:
            return
        if remove and sys.platform != "win32":
            self.path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None
        if remove and sys.platform == "win32":
            # If another process has it open now, the next process that opens the journal removes it.
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


class Processes:
    """The lock files of a state folder. Claiming and sweeping hold the folder's own lock, so they never run at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "processes"

    def claim(self, process: str) -> FileLock:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._sweep()
        lock = FileLock(self._file(process))
        lock.take()
        return lock

    def alive(self, process: str) -> bool:
        if not is_id(process):
            return False
        return not self._left_behind(self._file(process))

    def _sweep(self) -> None:
        for path in self._folder.glob("*.lock"):
            if is_id(path.stem) and self._left_behind(path):
                with suppress(OSError):
                    path.unlink()

    def _file(self, process: str) -> Path:
        return self._folder / f"{process}.lock"

    @staticmethod
    def _left_behind(path: Path) -> bool:
        """Whether no process holds the lock. It tries a shared lock, so that two callers do not take each other for the owner."""
        try:
            handle = os.open(path, (os.O_RDWR if sys.platform == "win32" else os.O_RDONLY) | NO_FOLLOW | NO_WAIT)
        except PermissionError:
            return False  # Another user's file: treat the process as alive, so that its runs are not taken over.
        except OSError:  # It does not exist, or it is a link, which no process of mmos makes.
            return True
        try:
            return _lock(handle, shared=True)
        finally:
            os.close(handle)
