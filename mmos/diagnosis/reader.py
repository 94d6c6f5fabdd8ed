"""Reads a log once and selects what a reader with little room should see of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mmos.diagnosis.log import Line, Passage, Selection
from mmos.diagnosis.masking import mask

TOKENS = 4000


class Reader:
    """Takes a log in pieces, in one pass and in bounded memory."""

    def __init__(self, *, tokens: int = TOKENS) -> None:
        self._tokens = tokens
        self._rest = b""
        self._lines = 0
        self._size = 0
        self._last: deque[Line] = deque(maxlen=2000)

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines += 1
            self._last.append(Line(self._lines, mask(line.decode(errors="replace"))))

    def close(self) -> Selection:
        if self._rest:
            self.feed(b"\n")
        shown: list[Line] = []
        left = self._tokens * 4
        for line in reversed(self._last):
            left -= len(line.text) + 1
            if left < 0:
                break
            shown.insert(0, line)
        best = tuple(line for line in shown if "rror" in line.text or "FAIL" in line.text)[:10]
        passages = (Passage(shown[0].number, shown[-1].number, tuple(shown)),) if shown else ()
        return Selection(passages, best, self._lines, self._size, self._tokens - left // 4)


def select(data: Iterable[bytes], *, tokens: int = TOKENS) -> Selection:
    """The selection from a whole log."""
    reader = Reader(tokens=tokens)
    for piece in data:
        reader.feed(piece)
    return reader.close()
