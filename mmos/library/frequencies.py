"""Counts in how many pieces of a collection each word stands."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mmos.library.words import stem, words


@dataclass
class Frequencies:
    """Of a whole collection."""

    pieces: int = 0
    words: Counter[str] = field(default_factory=Counter)
    stems: Counter[str] = field(default_factory=Counter)

    def add(self, texts: Iterable[str], sign: int = 1) -> None:
        """Count texts that came into the collection, or with `sign=-1` that left it."""
        for text in texts:
            self.pieces += sign
            different = set(words(text))
            for word in different:
                self.words[word] += sign
            for one in {stem(word) for word in different}:
                self.stems[one] += sign

    def to_bytes(self) -> bytes:
        return zlib.compress(json.dumps([self.pieces, self.words, self.stems]).encode())

    @classmethod
    def of_bytes(cls, data: bytes) -> Frequencies:
        pieces, some, stems = json.loads(zlib.decompress(data))
        return cls(pieces, Counter(some), Counter(stems))
