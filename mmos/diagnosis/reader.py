"""Reads a log once and selects what a reader with little room should see of it."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.diagnosis.choosing import Candidate, Choice
from mmos.diagnosis.cleaning import body, clean
from mmos.diagnosis.log import Line, Passage, Selection
from mmos.diagnosis.marks import mark
from mmos.diagnosis.masking import mask
from mmos.diagnosis.sieve import Raw, Sieve

TOKENS = 4000
CHARACTERS_A_TOKEN = 4
BLOCK = 256 * 1024
"""The log is read in blocks of whole lines, of about this size."""
LONGEST = 4 * BLOCK
"""A longer line is taken for one of this length."""


def weigh(line: bytes) -> float:
    return mark(body(clean(line))).weight


class Reader:
    """Takes a log in pieces, in one pass and in bounded memory."""

    def __init__(self, *, tokens: int = TOKENS) -> None:
        self._tokens = tokens
        self._rest = bytearray()
        self._size = 0
        self._sieve = Sieve(weigh)

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        for start in range(0, len(data), BLOCK):
            self._rest += data[start : start + BLOCK]
            if len(self._rest) >= BLOCK:
                self._take()

    def close(self) -> Selection:
        if self._rest:
            self._sieve.take(bytes(self._rest.removesuffix(b"\n")))
            self._rest.clear()
        lines = [_candidate(raw) for raw in self._sieve.kept()]
        choice = Choice(lines)
        chosen = [lines[index] for index in choice.within(self._tokens * CHARACTERS_A_TOKEN)]
        best = tuple(_line(lines[index]) for index in choice.best())
        tokens = -(-sum(line.cost for line in chosen) // CHARACTERS_A_TOKEN)
        return Selection(_passages([_line(line) for line in chosen]), best, self._sieve.lines, self._size, tokens)

    def _take(self) -> None:
        end = self._rest.rfind(b"\n")
        if end >= 0:
            self._sieve.take(bytes(self._rest[:end]))
            del self._rest[: end + 1]
        elif len(self._rest) > LONGEST:
            del self._rest[LONGEST:]


def select(data: Iterable[bytes], *, tokens: int = TOKENS) -> Selection:
    """The selection from a whole log."""
    reader = Reader(tokens=tokens)
    for piece in data:
        reader.feed(piece)
    return reader.close()


def _candidate(raw: Raw) -> Candidate:
    length = len(raw.data.decode("utf-8", "replace")) + raw.length - len(raw.data)
    return Candidate(raw.number, clean(raw.data), length + 1)


def _line(line: Candidate) -> Line:
    return Line(line.number, mask(line.text))


def _passages(lines: list[Line]) -> tuple[Passage, ...]:
    found: list[list[Line]] = []
    for line in lines:
        if found and line.number == found[-1][-1].number + 1:
            found[-1].append(line)
        else:
            found.append([line])
    return tuple(Passage(lines[0].number, lines[-1].number, tuple(lines)) for lines in found)
