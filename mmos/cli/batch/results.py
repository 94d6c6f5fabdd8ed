"""Writes the results of a batch to a file, and finds out which results an earlier command has written."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Self

import orjson

from mmos.errors import StateBusy, StateError, UsageError
from mmos.journal.faults import busy
from mmos.journal.process import FileLock

BLOCK = 1 << 20
OURS = b'{"line":'
"""How a line of results begins."""


class NotWritten(StateError):
    """The file of results takes no more, for example because its disk is full."""


@dataclass
class Earlier:
    """What an earlier command has written."""

    done: bytearray
    """For each line of the tasks whether its result stays in the file."""
    ordered: bool
    again: bool
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the results that stay."""
    bad: int = 0
    """How many of them are of lines without a task."""
    matching: int = 0
    """Results of one of the tasks, also those that do not stay."""
    left_out: int = 0
    """Results that do not stay: their line is another one now, is out of order, or is to run again."""
    _cut: bool = False
    """Whether a result was not at its place: nothing after it is."""
    _last: int = 0

    @property
    def count(self) -> int:
        return self.statuses.total()

    def judge(self, text: bytes, digests: array[int]) -> bool | None:
        """Whether the next line of the file stays. None: it is no result."""
        result = _read(text)
        if result is None:
            self._cut = True
            return None
        line, wanted = result["line"], not self.again or result["status"] == "answered"
        fits = 0 < line <= len(digests) and result["digest"] == f"{digests[line - 1]:016x}"
        self.matching += fits
        self._cut = self._cut or not (fits and wanted and not any(digests[self._last : line - 1]) and line > self._last)
        if self._cut if self.ordered else not fits or not wanted or self.done[line - 1]:
            self.left_out += 1
            return False
        self._last = line
        self.done[line - 1] = 1
        self.statuses[result["status"]] += 1
        self.bad += "error" in result
        return True


class Results:
    """The file of results. Only one process at a time has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_new = False
        """Whether there was no such file."""
        self.is_kept = False
        """Whether the journal has a batch with this file. Otherwise a new file goes away again."""
        self._file: FileIO
        self._lock = FileLock(path)

    def __enter__(self) -> Self:
        self.is_new = not self.path.exists()
        if not self.is_new and not self.path.is_file():
            raise UsageError(f"{self.path} is not a file, so a batch could not be continued.", next_step="Name a file: --out results.jsonl")
        try:
            self._file = self.path.open("xb+" if self.is_new else "rb+", buffering=0)
        except OSError as error:
            raise UsageError(f"{self.path}: {(error.strerror or str(error)).lower()}.", next_step="Name another file with --out.") from None
        try:
            self._lock.take()
            if not os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):  # it has just gone away with another command
                self._lock.release(remove=True)
                raise busy(self.path)
        except StateBusy:
            self._file.close()
            raise UsageError(
                f"Another process writes to {self.path}.", next_step="Wait until it ends, or end it. Then give the same command again."
            ) from None
        return self

    def __exit__(self, *fault: object) -> None:
        with self._file:
            self.flush()
        self._lock.release(remove=self.is_new and not self.is_kept)

    # ---------------------------------------------------------------- what is there

    @property
    def is_empty(self) -> bool:
        return os.fstat(self._file.fileno()).st_size == 0

    def survey(self, digests: array[int], *, ordered: bool, again: bool) -> Earlier:
        """Find the results that stay. Raises `UsageError` if the file holds something else.

        `ordered`: they stay up to the first one that is not at its place. `again`: only those with an answer stay.
        """
        earlier = Earlier(bytearray(len(digests)), ordered, again)
        for place, text in self._lines():
            if earlier.judge(text, digests) is None and not place and not _is_broken(text):
                raise self._foreign(f"{self.path} holds no results of a batch.")
        if earlier.left_out and not earlier.matching:
            raise self._foreign(f"{self.path} holds results, but none of them is of one of these tasks.")
        return earlier

    def clear(self, earlier: Earlier, digests: array[int]) -> None:
        """Remove all but the results that stay. What is half written or of a changed line does not stay."""
        end, same = 0, Earlier(bytearray(len(digests)), earlier.ordered, earlier.again)
        for place, text in self._lines():
            if same.judge(text, digests):
                if end != place:
                    self._put(end, text)  # a kill now leaves a broken line, or one twice: both are removed next time
                end += len(text)
        self._file.truncate(end)
        self._file.seek(end)

    def _foreign(self, message: str) -> UsageError:
        return UsageError(message, next_step="MMOS does not write over it. Name another file with --out, or delete this one.")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each whole line begins, and its text. Lines may be moved to smaller places meanwhile."""
        start, rest, place = 0, b"", 0
        while block := self._block(place):
            place += len(block)
            *whole, rest = (rest + block).split(b"\n")
            for text in whole:
                yield start, text + b"\n"
                start += len(text) + 1
        if rest and not start and not OURS.startswith(rest):
            yield 0, rest  # perhaps a file of something else

    def _block(self, place: int) -> bytes:
        self._file.seek(place)
        return self._file.read(BLOCK) or b""

    def _put(self, place: int, text: bytes) -> None:
        self._file.seek(place)
        self.write(text)

    # ---------------------------------------------------------------- what comes

    def write(self, text: bytes) -> None:
        """Write a line. It has no buffer, so what is written stays when the process is killed."""
        with self._on_disk():
            while text:
                text = text[self._file.write(text) or 0 :]

    def flush(self) -> None:
        """Wait until all that is written is on the disk."""
        with self._on_disk():
            os.fsync(self._file)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"{self.path} could not be written: {(error.strerror or str(error)).lower()}."
            raise NotWritten(message, next_step="Make room on its disk, or repair it. Then give the same command again.") from None


def _is_broken(text: bytes) -> bool:
    """Whether it is a part of a line of results."""
    if not text.startswith(OURS):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return True
    return False


def _read(text: bytes) -> dict[str, Any] | None:
    """A line of results. None: it is something else, or only a part of one."""
    try:
        result = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    wanted = {"line": int, "digest": str, "status": str}
    if isinstance(result, dict) and all(type(result.get(name)) is kind for name, kind in wanted.items()):
        return result
    return None
