"""The forms of the lines of a run that passed: what also stands in such a log explains no failure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from mmos.diagnosis.blocks import Blocks
from mmos.diagnosis.cleaning import body, clean, form

FORMS = 50_000
"""So many forms are kept. A log with more of them is known in part."""
VERSION = 1
_DIGITS = b"0123456789"


@dataclass(frozen=True)
class Profile:
    """What is known of a log of a run that passed. It holds digests, and no text of the log."""

    lines: int
    forms: frozenset[int]

    def knows(self, text: str) -> bool:
        """Whether a line of this form stands in the log. The text is what `cleaning.body` gives."""
        return _digest(form(text)) in self.forms

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, "lines": self.lines, "forms": sorted(self.forms)})

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Raises ValueError if the text is no profile."""
        read = json.loads(text)
        if not isinstance(read, dict) or read.get("version") != VERSION:
            raise ValueError("this is no profile of a log, or one of another version of MMOS")
        lines, forms = read.get("lines"), read.get("forms")
        if not isinstance(lines, int) or not isinstance(forms, list) or not all(isinstance(each, int) for each in forms):
            raise ValueError("a profile of a log has a number of lines and a list of numbers")
        return cls(lines, frozenset(forms[:FORMS]))


class Learner:
    """Makes a profile of a log that comes in pieces, in one pass and in bounded memory."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._lines = 0
        self._seen: set[bytes] = set()
        self._forms: set[int] = set()

    def feed(self, data: bytes) -> None:
        for block in self._blocks.feed(data):
            self._take(block)

    def close(self) -> Profile:
        for block in self._blocks.close():
            self._take(block)
        return Profile(self._lines, frozenset(self._forms))

    def _take(self, block: bytes) -> None:
        lines = block.split(b"\n")
        self._lines += len(lines)
        if len(self._forms) >= FORMS:
            return
        fresh = {key: line for key, line in zip(block.translate(None, _DIGITS).split(b"\n"), lines, strict=True) if key not in self._seen}
        for line in fresh.values():
            if len(self._forms) < FORMS:
                self._forms.add(_digest(form(body(clean(line)))))
        self._seen = self._seen | fresh.keys() if len(self._seen) < FORMS else set(fresh)


def profile(data: Iterable[bytes]) -> Profile:
    """The profile of a whole log."""
    learner = Learner()
    for piece in data:
        learner.feed(piece)
    return learner.close()


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=6).digest(), "big")
