"""Writes the results of a batch to a file, and finds out which results an earlier command has written."""

from __future__ import annotations

import os
import re
import shutil
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Self, get_args

import orjson

from mmos.errors import StateBusy, StateError, UsageError
from mmos.events import Status
from mmos.journal.faults import busy
from mmos.journal.process import FileLock

BLOCK = 1 << 20
STATUSES = frozenset(get_args(Status))
OURS = b'{"line":'
"""How a line of results begins."""
NUMBER = re.compile(rb'\{"line":\d+')


class NotWritten(StateError):
    """The file of results takes no more, for example because its disk is full."""


@dataclass
class Earlier:
    """Which lines of the tasks have a result in the file, and whether the file is as it should be."""

    digests: array[int]
    """Of each line of the tasks, 0 of a blank one."""
    ordered: bool
    again: bool
    """Whether only a result with an answer counts."""
    done: bytearray = field(init=False)
    """For each line whether it has a result that counts."""
    places: array[int] = field(init=False)
    """For each line, one more than the place of its result in the file; 0: it has none."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the results that count."""
    bad: int = 0
    """How many of them are of lines without a task."""
    moved: set[str] = field(default_factory=set)
    """The runs of those of them whose line has another number now."""
    stale: int = 0
    """Results whose line is changed or gone."""
    found: int = 0
    """All results in the file."""
    is_tidy: bool = True
    """Whether the file is as it should be when the missing results follow those that are there."""
    _kinds: list[tuple[str, bool]] = field(default_factory=lambda: [("", False)])
    """Each status that occurs, and whether the line had no task."""
    _of: bytearray = field(init=False)
    """The kind of each result, as an index."""
    _unplaced: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)
    """For each digest, the results that are not of the line with their number: their place, their kind and their run."""
    _last: int = 0

    def __post_init__(self) -> None:
        self.done, self._of = bytearray(len(self.digests)), bytearray(len(self.digests))
        self.places = array("Q", bytes(8 * len(self.digests)))

    @property
    def count(self) -> int:
        return self.statuses.total()

    def add(self, place: int, result: dict[str, Any]) -> None:
        """The next result of the file. The last one of a line counts."""
        line, digest, kind = result["line"], result["digest"], self._kind(result)
        self.found += 1
        if not (0 < line <= len(self.digests) and digest == f"{self.digests[line - 1]:016x}"):
            self._unplaced.setdefault(digest, []).append((place + 1, kind, str(result.get("run"))))
            return
        if self.places[line - 1] or (self.ordered and line < self._last):
            self.is_tidy = False
        self.places[line - 1], self._of[line - 1], self._last = place + 1, kind, line

    def _kind(self, result: dict[str, Any]) -> int:
        kind = (result["status"] if result["status"] in STATUSES else "failed", "error" in result)
        if kind not in self._kinds:
            self._kinds.append(kind)
        return self._kinds.index(kind)

    def finish(self) -> None:
        """All results are added: find the lines of those that have moved, and count."""
        self.is_tidy = self.is_tidy and not self._unplaced
        superseded, missing = set(), False
        for number, digest in enumerate(self.digests):
            waiting, run = self._unplaced.get(f"{digest:016x}") if digest and self._unplaced else None, ""
            if waiting is not None:
                superseded.add(f"{digest:016x}")
            if waiting and not self.places[number]:
                self.places[number], self._of[number], run = waiting.pop(0)
            status, is_bad = self._kinds[self._of[number]]
            if status and (status == "answered" or not self.again):
                self.done[number] = 1
                self.moved.update([run] if run else ())
                self.statuses[status] += 1
                self.bad += is_bad
                self.is_tidy = self.is_tidy and not (missing and self.ordered)
            elif digest:
                missing = True
                self.is_tidy = self.is_tidy and not status  # it gets a second result
        self.stale = sum(len(left) for digest, left in self._unplaced.items() if digest not in superseded)


class Results:
    """The file of results. Only one process at a time has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_new = False
        """Whether there was no such file."""
        self.is_kept = False
        """Whether the journal has a batch with this file. Otherwise a new file goes away again."""
        self._file: FileIO
        self._end = 0
        """Where its last whole line ends."""
        self._is_ended = True
        """Whether that line ends with a line break."""
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
            if not os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):  # another command has just removed or replaced it
                self._lock.release(remove=not self.path.stat().st_size)  # only the empty file that the lock has made
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
        """Find the results of these tasks. Raises `UsageError` if the file holds something else.

        `ordered`: they belong into the order of their lines. `again`: only those with an answer count.
        """
        earlier, self._end = Earlier(digests, ordered, again), 0
        for number, (place, text) in enumerate(self._lines(), 1):
            if (result := _read(text)) is not None:
                earlier.add(place, result)
            elif text.endswith(b"\n"):
                earlier.is_tidy = False
            if result is None and not _is_broken(text):
                raise self._foreign(f"Line {number} of {self.path} is no result of a batch.")
            if result is not None or text.endswith(b"\n"):
                self._end, self._is_ended = place + len(text), text.endswith(b"\n")
        earlier.finish()
        if earlier.found and earlier.found == earlier.stale:
            raise self._foreign(f"{self.path} holds results, but none of them is of one of these tasks.")
        return earlier

    def go_on(self) -> None:
        """Let new results follow the last whole one. All results stay until `put_in_order`, so that a kill loses none."""
        with self._on_disk():
            self._file.truncate(self._end)
        self._file.seek(self._end)
        if not self._is_ended:
            self.write(b"\n")

    def put_in_order(self, digests: array[int]) -> None:
        """Leave one result for each line, in their order and with their numbers of now. It is the last that happens to the file.

        The results are written to a file beside it, which then takes its place: a kill leaves the one or the other.
        """
        now = self.survey(digests, ordered=True, again=False)
        beside = self.path.with_name(f".{self.path.name}.new")
        with self._on_disk():
            beside.unlink(missing_ok=True)  # a kill has left it
            try:
                with beside.open("xb") as new, self.path.open("rb") as old:
                    for number, place in enumerate(now.places, 1):
                        if place:
                            old.seek(place - 1)
                            new.write(_numbered(old.readline(), number))
                    new.flush()
                    os.fsync(new)
                shutil.copymode(self.path, beside)
                beside.replace(self.path)
            finally:
                beside.unlink(missing_ok=True)

    def _foreign(self, message: str) -> UsageError:
        return UsageError(message, next_step="MMOS does not write over it. Name another file with --out, or delete this one.")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each line begins, and its text. The last one may have no end."""
        start, rest, place = 0, b"", 0
        while block := self._block(place):
            place += len(block)
            *whole, rest = (rest + block).split(b"\n")
            for text in whole:
                yield start, text + b"\n"
                start += len(text) + 1
        if rest:
            yield start, rest

    def _block(self, place: int) -> bytes:
        self._file.seek(place)
        return self._file.read(BLOCK) or b""

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
    """Whether it is a part of a line of results, or nothing. A power cut may leave zeros."""
    text = text.strip(b"\0 \t\r\n")
    if not text.startswith(OURS):
        return OURS.startswith(text)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return True
    return False


def _numbered(text: bytes, number: int) -> bytes:
    """A line of results as that of this line of the tasks. What else it holds stays as it is written."""
    if orjson.loads(text)["line"] == number:
        return text
    found = NUMBER.match(text)
    return b'{"line":%d' % number + text[found.end() :] if found else orjson.dumps({**orjson.loads(text), "line": number}) + b"\n"


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
