"""Keeps what a command prints, in bounded space: its beginning in a file without a name, and its end in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 1 << 20
MOST_HEAD = 512 << 20
"""Bytes of the beginning. They are in a file, so a long log takes no memory."""
MOST_TAIL = 16 << 20
"""Bytes of the end, when there is more than the beginning. Up to twice as many are kept."""
NEAR = 4096
MOST_OPEN = 1 << 16
"""A longer line without an end is kept in pieces."""


class Spool:
    """What a command printed. Lines of its two streams stay whole."""

    def __init__(self, head: int = MOST_HEAD, tail: int = MOST_TAIL) -> None:
        self._file: BinaryIO | None = None
        self._room = head
        self._tail = tail
        self._older, self._newer = bytearray(), bytearray()
        self._kept = 0
        self._skipped = 0
        """Lines between the beginning and the end that were kept."""
        self._open: dict[int, bytes] = {}

    def keep(self, stream: int, block: memoryview) -> None:
        """Keep a block of a stream. The part after its last end of line waits for the rest of the line."""
        cut = _after_lines(block)
        before = self._open.pop(stream, b"")
        if not cut and len(before) + len(block) <= MOST_OPEN:
            self._open[stream] = before + block
            return
        if before:
            self._write(memoryview(before))
        self._write(block[:cut] if cut else block)
        if 0 < cut < len(block):
            self._open[stream] = bytes(block[cut:])

    @property
    def size(self) -> int:
        """The bytes that were kept."""
        return self._kept

    @property
    def files(self) -> set[int]:
        """The numbers of its open files."""
        return {self._file.fileno()} if self._file is not None else set()

    def end(self) -> None:
        """Keep what still waits for the end of a line."""
        for rest in self._open.values():
            self._write(memoryview(rest + b"\n" if len(self._open) > 1 else rest))
        self._open.clear()

    def blocks(self) -> Iterator[bytes]:
        """All that was kept, in order. Empty lines stand for skipped ones, so that the others keep their numbers."""
        if self._file is not None:
            self._file.seek(0)
            while block := self._file.read(BLOCK):
                yield block
        for start in range(0, self._skipped, BLOCK):
            yield b"\n" * min(BLOCK, self._skipped - start)
        yield from (bytes(part) for part in (self._older, self._newer) if part)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, data: memoryview) -> None:
        self._kept += len(data)
        if self._room >= len(data):
            try:
                self._into_file(data)
                return
            except OSError:  # the disk is full, which may be why the command will fail
                pass
        self._room = 0
        self._newer += data
        if len(self._newer) >= self._tail:
            self._skipped += self._older.count(b"\n")
            self._older, self._newer = self._newer, bytearray()

    def _into_file(self, data: memoryview) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # `close` closes it
        whole = self._file.tell()
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError:
            self._file.truncate(whole)
            raise
        self._room -= len(data)


def _after_lines(block: memoryview) -> int:
    """Where the last whole line ends."""
    near = max(0, len(block) - NEAR)
    end = bytes(block[near:]).rfind(b"\n")
    return near + end + 1 if end >= 0 else bytes(block).rfind(b"\n") + 1
