"""The file of what was typed in chats: a line of JSON for each entry, in the state folder, for its owner alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

FILE = "chat_history.jsonl"

LONGEST = 100_000
"""Characters of an entry that is worth keeping."""


@dataclass(frozen=True)
class Typed:
    text: str
    thread: str = ""
    """The id or the name of the conversation; empty in files of older versions."""


def add(folder: Path, typed: Typed) -> None:
    from mmos.journal.folder import make  # by then the app has imported it, or does so anyway

    line = orjson.dumps({"text": typed.text.encode("utf-8", "replace").decode(), "thread": typed.thread}, option=orjson.OPT_APPEND_NEWLINE)
    make(folder)
    with os.fdopen(os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file, _alone(file):
        file.write(line)


def newest(folder: Path, most: int) -> Iterator[str]:
    for line in reversed((folder / FILE).read_bytes().splitlines()[-most:]):
        if (typed := _read(line)) is not None and typed.text:
            yield typed.text


def forget(folder: Path, gone: Callable[[Typed], bool]) -> int:
    """Take out what is to be gone, and say how many entries that were.

    The file is written anew in its place: a chat that adds to it meanwhile waits, and a full disk needs no room for a copy.
    """
    try:
        file = (folder / FILE).open("r+b")
    except FileNotFoundError:
        return 0
    with file, _alone(file):
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
    """Whether it is one of these tasks, as it was typed: `@ROLE` in front of it names who is asked."""
    text = typed.text.strip()
    words = text.partition(" ")[2].strip() if text.startswith("@") else text
    return any(task.strip() in (text, words) for task in tasks)


@contextmanager
def _alone(file: BinaryIO) -> Iterator[None]:
    """One process at a time changes the file; closing it lets the next one in."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    yield
    file.flush()


def _read(line: bytes) -> Typed | None:
    """An entry; one that was cut off by a crash is none. Older versions wrote the text alone."""
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
