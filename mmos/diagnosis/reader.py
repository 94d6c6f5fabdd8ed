"""Reads a log once and selects what a reader with little room should see of it."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.diagnosis.blocks import Blocks
from mmos.diagnosis.choosing import Candidate, Choice
from mmos.diagnosis.cleaning import body, clean
from mmos.diagnosis.log import Line, Passage, Selection
from mmos.diagnosis.marks import mark
from mmos.diagnosis.masking import MASK, key_lines, mask
from mmos.diagnosis.profile import Profile
from mmos.diagnosis.sieve import Raw, Sieve

TOKENS = 4000
CHARACTERS_A_TOKEN = 4


class Reader:
    """Takes a log in pieces, in one pass and in bounded memory.

    `good` is the profile of a log of the same command when it passed: lines of its forms count for little.
    """

    def __init__(self, *, tokens: int = TOKENS, good: Profile | None = None) -> None:
        self._tokens = tokens
        self._good = good
        self._size = 0
        self._blocks = Blocks()
        self._sieve = Sieve(self._weigh)
        self._lines: list[Candidate] = []
        self._keys: set[int] = set()
        """Which of the lines are the inside of a private key."""
        self._choice = Choice([])

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        for block in self._blocks.feed(data):
            self._sieve.take(block)

    def close(self) -> Selection:
        for block in self._blocks.close():
            self._sieve.take(block)
        self._lines = [_candidate(raw) for raw in self._sieve.kept()]
        self._keys = key_lines([line.text for line in self._lines])
        self._choice = Choice(self._lines, self._good.knows if self._good else None)
        return self.within(self._tokens)

    def within(self, tokens: int) -> Selection:
        """The selection for another number of tokens, when the whole log has been read."""
        chosen = self._choice.within(tokens * CHARACTERS_A_TOKEN)
        cost = -(-sum(self._lines[index].cost for index in chosen) // CHARACTERS_A_TOKEN)
        best = tuple(self._shown(index) for index in self._choice.best() if index not in self._keys)
        return Selection(_passages([self._shown(index) for index in chosen]), best, self._sieve.lines, self._size, cost)

    def _shown(self, index: int) -> Line:
        return Line(self._lines[index].number, MASK if index in self._keys else mask(self._lines[index].text))

    def _weigh(self, line: bytes) -> float:
        text = body(clean(line))
        return 0.0 if self._good and self._good.knows(text) else mark(text).weight


def select(data: Iterable[bytes], *, tokens: int = TOKENS, good: Profile | None = None) -> Selection:
    """The selection from a whole log."""
    reader = Reader(tokens=tokens, good=good)
    for piece in data:
        reader.feed(piece)
    return reader.close()


def _candidate(raw: Raw) -> Candidate:
    length = len(raw.data.decode("utf-8", "replace")) + raw.length - len(raw.data)
    return Candidate(raw.number, clean(raw.data, raw.length), length + 1)


def _passages(lines: list[Line]) -> tuple[Passage, ...]:
    found: list[list[Line]] = []
    for line in lines:
        if found and line.number == found[-1][-1].number + 1:
            found[-1].append(line)
        else:
            found.append([line])
    return tuple(Passage(lines[0].number, lines[-1].number, tuple(lines)) for lines in found)
