"""Reads and writes the input history of chats: JSON lines in the state folder that only its owner can read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from mmos.files import NO_FOLLOW, NO_WAIT, content

FILE = "chat_history.jsonl"

LONGEST = 100_000
"""Longer entries are not kept, in characters."""
MOST_BYTES = 1 << 28
"""Most bytes that are read from the file."""


@dataclass(frozen=True)
class HistoryEntry:
    text: str
    thread: str = ""
    """The id or name of the conversation. Empty in files of older versions."""


def add(folder: Path, entry: HistoryEntry) -> None:
    from mmos.journal.folder import make  # slow to import, but the app needs it anyway

    line = orjson.dumps({"text": entry.text.encode("utf-8", "replace").decode(), "thread": entry.thread}, option=orjson.OPT_APPEND_NEWLINE)
    make(folder)
    with os.fdopen(_opened(folder, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file, _alone(file):
        file.write(line)


def newest(folder: Path, most: int) -> Iterator[str]:
    for line in reversed(content(folder / FILE, MOST_BYTES, follow=False).splitlines()[-most:]):
        if (entry := _read(line)) is not None and entry.text:
            yield entry.text


def forget(folder: Path, selects: Callable[[HistoryEntry], bool]) -> int:
    """Delete the entries that `selects` accepts, and return their number.

    The file is rewritten in place. A chat that adds an entry waits meanwhile. It needs no room for a copy, so it works on a full disk.
    """
    try:
        number = _opened(folder, os.O_RDWR)
    except FileNotFoundError:
        return 0
    with os.fdopen(number, "r+b") as file, _alone(file):
        lines = file.readlines()
        rest = [line for line in lines if (entry := _read(line)) is None or not selects(entry)]
        if len(rest) < len(lines):
            file.seek(0)
            file.writelines(rest)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    return len(lines) - len(rest)


def is_task_of(entry: HistoryEntry, tasks: Iterable[str]) -> bool:
    """Whether the entry is one of these tasks, also with `@ROLE` in front."""
    text = entry.text.strip()
    words = text.partition(" ")[2].strip() if text.startswith("@") else text
    return any(task.strip() in (text, words) for task in tasks)


def _opened(folder: Path, flags: int) -> int:
    """Open the file, but no link and no pipe in its place: the folder may come from a stranger."""
    return os.open(folder / FILE, flags | NO_FOLLOW | NO_WAIT, 0o600)


@contextmanager
def _alone(file: BinaryIO) -> Iterator[None]:
    """Lock the file for this process. Closing it releases the lock."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    yield
    file.flush()


def _read(line: bytes) -> HistoryEntry | None:
    """Read an entry. Skip one that a crash cut off. Older versions wrote only the text."""
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    match read:
        case str():
            return HistoryEntry(read)
        case {"text": str(text), "thread": str(thread)}:
            return HistoryEntry(text, thread)
    return None
