"""Which processes write here: each holds an OS lock on a file of its own, and a kill -9 lets go of it at once."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from mmos.journal import faults
from mmos.journal.ids import is_id

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, *, shared: bool) -> bool:  # noqa: ARG001 - there are no shared ones here
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    # flock and not fcntl's own locks: those are lost as soon as the process closes any other handle on the same file.
    def _lock(handle: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FileLock:
    """A file that one process at a time holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def take(self) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(handle, shared=False):
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
            # The next one to open the journal removes it where somebody looks at it just now.
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


class Processes:
    """The lock files of a state folder. Claiming and sweeping happen under the folder's own lock, so they never meet."""

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
        """Asks with a shared lock, so that two who ask at once do not take each other for the owner."""
        try:
            handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
        except FileNotFoundError:
            return True
        except PermissionError:
            return False  # Of another user: who cannot tell must not take its runs away.
        try:
            return _lock(handle, shared=True)
        finally:
            os.close(handle)
