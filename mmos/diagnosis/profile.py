"""The shapes of the lines of a run that passed: what also stands in such a log explains no failure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from mmos.diagnosis.blocks import Blocks
from mmos.diagnosis.cleaning import body, clean, shape

SHAPES = 50_000
"""So many shapes are kept. A log with more of them is known in part."""
VERSION = 1
_DIGITS = b"0123456789"


@dataclass(frozen=True)
class Profile:
    """What is known of a log of a run that passed. It holds digests, and no text of the log."""

    lines: int
    shapes: frozenset[int]

    def knows(self, text: str) -> bool:
        """Whether a line of this shape stands in the log. The text is what `cleaning.body` gives."""
        return _digest(shape(text)) in self.shapes

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, "lines": self.lines, "shapes": sorted(self.shapes)})

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Raises ValueError if the text is no profile."""
        read = json.loads(text)
        if not isinstance(read, dict) or read.get("version") != VERSION:
            raise ValueError("this is no profile of a log, or one of another version of MMOS")
        lines, shapes = read.get("lines"), read.get("shapes")
        if not isinstance(lines, int) or not isinstance(shapes, list) or not all(isinstance(each, int) for each in shapes):
            raise ValueError("a profile of a log has a number of lines and a list of numbers")
        return cls(lines, frozenset(shapes[:SHAPES]))


class Learner:
    """Makes a profile of a log that comes in pieces, in one pass and in bounded memory."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._lines = 0
        self._seen: set[bytes] = set()
        self._shapes: set[int] = set()

    def feed(self, data: bytes) -> None:
        for block in self._blocks.feed(data):
            self._take(block)

    def close(self) -> Profile:
        for block in self._blocks.close():
            self._take(block)
        return Profile(self._lines, frozenset(self._shapes))

    def _take(self, block: bytes) -> None:
        lines = block.split(b"\n")
        self._lines += len(lines)
        if len(self._shapes) >= SHAPES:
            return
        fresh = {key: line for key, line in zip(block.translate(None, _DIGITS).split(b"\n"), lines, strict=True) if key not in self._seen}
        for line in fresh.values():
            if len(self._shapes) < SHAPES:
                self._shapes.add(_digest(shape(body(clean(line)))))
        self._seen = self._seen | fresh.keys() if len(self._seen) < SHAPES else set(fresh)


def profile(data: Iterable[bytes]) -> Profile:
    """The profile of a whole log."""
    learner = Learner()
    for piece in data:
        learner.feed(piece)
    return learner.close()


def _digest(form: str) -> int:
    return int.from_bytes(blake2b(form.encode("utf-8", "replace"), digest_size=6).digest(), "big")
