"""Counts in how many pieces of a collection each word stands."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

from mmos.library.words import STOP, stems_of, words

_QUICK = 1
"""The level of zlib. Level 6 saves a tenth, and takes four times as long."""


class Frequencies:
    """Of a whole collection.

    What was read from bytes stays packed until it is changed: a search asks for ten words, and unpacking all of them takes longer than the search.
    """

    def __init__(self, pieces: int = 0, length: int = 0, stems_length: int = 0) -> None:
        self.pieces = pieces
        self.length = length
        """The words of all pieces."""
        self.stems_length = stems_length
        """The same without stop words."""
        self._words, self._stems = _Table(), _Table()

    def add(self, texts: Iterable[str], sign: int = 1) -> None:
        """Count texts that came into the collection, or with `sign=-1` that left it."""
        some, stems = Counter[str](), Counter[str]()
        for text in texts:
            found = words(text)
            different = set(found)
            some.update(different)
            stems.update(stems_of(different))
            self._count(len(found), sum(map(STOP.__contains__, found)), sign)
        self._words.add(some, sign)
        self._stems.add(stems, sign)

    def _count(self, length: int, stop: int, sign: int) -> None:
        self.pieces = max(0, self.pieces + sign)
        self.length = max(0, self.length + sign * length)
        self.stems_length = max(0, self.stems_length + sign * (length - stop))

    def of_word(self, word: str) -> int:
        """The pieces with this word."""
        return self._words.get(word)

    def of_stem(self, stem: str) -> int:
        """The pieces with a word of this stem."""
        return self._stems.get(stem)

    def to_bytes(self) -> bytes:
        head = f"{self.pieces} {self.length} {self.stems_length}".encode()
        return zlib.compress(b"\0".join((head, self._words.packed(), self._stems.packed())), _QUICK)

    @classmethod
    def of_bytes(cls, data: bytes) -> Frequencies:
        head, some, stems = zlib.decompress(data).split(b"\0")
        frequencies = cls(*map(int, head.split()))
        frequencies._words, frequencies._stems = _Table(some), _Table(stems)
        return frequencies


class _Table:
    """Terms and their counts: packed, as sorted lines of bytes, or open."""

    def __init__(self, packed: bytes = b"") -> None:
        self._packed = packed
        self._counts: dict[str, int] | None = None

    def get(self, term: str) -> int:
        return _looked_up(self._packed, term.encode()) if self._counts is None else self._counts.get(term, 0)

    def add(self, counted: Mapping[str, int], sign: int) -> None:
        if self._counts is None:
            self._counts = {term: int(count) for term, count in (line.split("\t") for line in self._packed.decode().splitlines())}
            self._packed = b""
        counts = self._counts
        for term, count in counted.items():
            left = counts.get(term, 0) + sign * count
            if left > 0:
                counts[term] = left
            else:
                counts.pop(term, None)

    def packed(self) -> bytes:
        if self._counts is None:
            return self._packed
        return b"".join(sorted(b"%s\t%d\n" % (term.encode(), count) for term, count in self._counts.items()))


def _looked_up(packed: bytes, term: bytes) -> int:
    """The count of a term in sorted lines, found by halving."""
    low, high = 0, len(packed)
    while low < high:
        start = max(low, packed.rfind(b"\n", low, (low + high) // 2) + 1)
        end = packed.index(b"\n", start)
        found, _, count = packed[start:end].partition(b"\t")
        if found == term:
            return int(count)
        low, high = (end + 1, high) if found < term else (low, start)
    return 0
