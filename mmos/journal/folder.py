"""Creates the state folder: readable for its owner only, and kept out of repositories. Refuses one that leads elsewhere. Writes documents in it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import orjson

from mmos.errors import StateError, StateFull
from mmos.files import NO_FOLLOW

if sys.platform == "darwin":
    import fcntl

_NAMES = (
    "journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal", "journal.lock", "processes", "fitness", "benchmarks", "passed",
    "chat_history.jsonl", "copied.md", "fleet.json", "gpus.json", "gpus.lock", "cache.db", "cache.db-wal", "cache.db-shm", "rewrites",
)  # fmt: skip


def make(folder: Path) -> None:
    """Create the folder. An existing folder is not changed, because it may be the user's own."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")  # it is beside a configuration and contains conversations
    check(folder)


def check(folder: Path) -> None:
    """Raise if a name in it is a link or a pipe: the folder may come from a stranger.

    The folder itself may be a link, because the user named it.
    """
    for name in _NAMES:
        try:
            mode = (folder / name).lstat().st_mode
        except OSError:  # it does not exist, or opening it fails with a better error
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise _wrong(folder / name, "a symbolic link" if stat.S_ISLNK(mode) else "not a file")


def flush(path: Path) -> None:
    """Make the disk keep a file, or the names in a folder."""
    if sys.platform == "win32":
        if path.is_dir():
            return  # Windows keeps names by itself
        handle = os.open(path, os.O_RDWR)  # it flushes only a file that may be written
    else:
        handle = os.open(path, os.O_RDONLY | NO_FOLLOW)
    try:
        if sys.platform == "darwin":
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)  # fsync alone leaves it in the memory of the drive
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def check_room(file: Path, needed: int) -> None:
    """Raise if the disk has no room for so many bytes beside the file."""
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise StateFull(
            f"{file}: this needs {needed:,} bytes of room for a while, and the disk has {free:,} left. Nothing was changed.",
            next_step="Free some space, then try again.",
        )


def _wrong(path: Path, what: str) -> StateError:
    return StateError(
        f"{path}: this is {what}. MMOS does not use it.",
        next_step="Find out who made it and remove it, or name another folder with --state.",
    )


def write(path: Path, document: object) -> None:
    """Write a JSON document of a state folder in place of an older one. Readers never see a half-written file."""
    fresh = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
    try:
        with fresh.open("xb") as file:  # never through a link
            file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
