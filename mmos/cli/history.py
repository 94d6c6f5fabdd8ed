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
class Typed:
    text: str
    thread: str = ""
    """The id or name of the conversation. Empty in files of older versions."""


def add(folder: Path, typed: Typed) -> None:
    from mmos.journal.folder import make  # slow to import, but the app needs it anyway

    line = orjson.dumps({"text": typed.text.encode("utf-8", "replace").decode(), "thread": typed.thread}, option=orjson.OPT_APPEND_NEWLINE)
    make(folder)
    with os.fdopen(_opened(folder, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file, _alone(file):
        file.write(line)


def newest(folder: Path, most: int) -> Iterator[str]:
    for line in reversed(content(folder / FILE, MOST_BYTES, follow=False).splitlines()[-most:]):
        if (typed := _read(line)) is not None and typed.text:
            yield typed.text


def forget(folder: Path, gone: Callable[[Typed], bool]) -> int:
    """Delete the entries that `gone` selects, and return their number.

    The file is rewritten in place. A chat that adds an entry waits meanwhile. It needs no room for a copy, so it works on a full disk.
    """
    try:
        number = _opened(folder, os.O_RDWR)
    except FileNotFoundError:
        return 0
    with os.fdopen(number, "r+b") as file, _alone(file):
        lines = file.readlines()
        kept = [line for line in lines if (typed := _read(line)) is None or not gone(typed)]
        if len(kept) < len(lines):
            file.seek(0)
            file.writelines(kept)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    return len(lines) - len(kept)


def began(typed: Typed, tasks: Iterable[str]) -> bool:
    """Whether the entry is one of these tasks, also with `@ROLE` in front."""
    text = typed.text.strip()
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


def _read(line: bytes) -> Typed | None:
    """Read an entry. Skip one that a crash cut off. Older versions wrote only the text."""
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    match read:
        case str():
            return Typed(read)
        case {"text": str(text), "thread": str(thread)}:
            return Typed(text, thread)
    return None
