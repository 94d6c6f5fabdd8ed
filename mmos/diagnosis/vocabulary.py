"""Finds the lines of a log that contain telling words, at the price of a look at each word that is new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mmos.diagnosis.phrases import STEMS, WHOLE_STEMS

WORDS = 100_000
"""So many words are remembered at a time."""
_DIGITS = b"0123456789"


def _trie(words: Iterable[bytes]) -> bytes:
    """A pattern for any of the words, by their letters: each letter of a text is compared with few others."""
    branches: dict[bytes, list[bytes]] = {}
    for word in words:
        if not word:
            return b""
        branches.setdefault(word[:1], []).append(word[1:])
    parts = [re.escape(letter) + _trie(rest) for letter, rest in branches.items()]
    return parts[0] if len(parts) == 1 else b"(?:" + b"|".join(parts) + b")"


_STEM = re.compile(_trie(sorted(stem.encode() for stem in STEMS)))
_WHOLE = frozenset(word.encode() for word in WHOLE_STEMS)


class Vocabulary:
    """The words of a log, and which of them are telling."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._telling: set[bytes] = set()

    def telling(self, lines: Sequence[bytes]) -> Iterator[int]:
        """The indexes of the lines that contain a telling word."""
        text = b"\n".join(lines).lower().translate(None, _DIGITS)
        words = set(text.split())
        self._learn(words - self._known)
        telling = words & self._telling
        if telling:
            apart = telling.isdisjoint
            yield from (index for index, line in enumerate(text.split(b"\n")) if not apart(line.split()))

    def _learn(self, words: set[bytes]) -> None:
        if len(self._known) + len(words) > WORDS:
            self._known.clear()
            self._telling.clear()
        self._known |= words
        self._telling |= words & _WHOLE
        text = b"\n".join(words)
        at = 0
        while found := _STEM.search(text, at):
            start = text.rfind(b"\n", 0, found.start()) + 1
            at = text.find(b"\n", found.end())
            self._telling.add(text[start : at if at >= 0 else len(text)])
            if at < 0:
                return
