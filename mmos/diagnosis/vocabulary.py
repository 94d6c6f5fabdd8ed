"""Finds the lines of a log that contain telling words, at the price of a look at each word that is new."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain

from mmos.diagnosis.phrases import STEMS, STRONG_STEMS, WHOLE_STEMS

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


_STEM = re.compile(_trie(sorted(stem.encode() for stem in STEMS)) + rb"(?![a-z]*[_/-][a-z]|[a-z]*\.[a-z])|(?:err|yn|eai)_\w")
"""A word such as `error_handler.o` or `fails_without_it` is a name, and tells nothing."""
_WHOLE = frozenset(word.encode() for word in WHOLE_STEMS)


class Vocabulary:
    """The words of a log, and which of them are telling."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._telling: set[bytes] = set()

    def telling(self, lines: Sequence[bytes]) -> list[tuple[int, list[bytes]]]:
        """The indexes of the lines that contain a telling word, and their words without digits, in small letters."""
        text = b"\n".join(lines).lower().translate(None, _DIGITS)
        found = set(text.split())
        self._learn(found - self._known)
        telling = found & self._telling
        if not telling:
            return []
        apart = telling.isdisjoint
        return [(index, words) for index, words in enumerate(line.split() for line in text.split(b"\n")) if not apart(words)]

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


def outspoken(lines: Sequence[bytes]) -> list[tuple[int, list[bytes]]]:
    """The same for lines that contain one of few words. It costs little also where all words are new."""
    text = b"\n".join(lines).lower()
    ends = list(accumulate(len(line) + 1 for line in lines))
    found: set[int] = set()
    for stem in STRONG_STEMS:
        at = text.find(stem)
        while at >= 0:
            after = at + len(stem)
            if b"_" in text[after : after + 4]:  # a name such as `fails_without_it`
                at = text.find(stem, after)
                continue
            index = bisect_right(ends, at)
            found.add(index)
            at = text.find(stem, ends[index])
    return [(index, lines[index].lower().translate(None, _DIGITS).split()) for index in sorted(found)]


def patterns(lines: Sequence[list[bytes]]) -> list[bytes]:
    """What each line has in common with others: words that few of them have are left out. A line with few other words stays as it is."""
    counts = Counter(chain.from_iterable(lines))
    common = {word for word, count in counts.items() if count > 1 + len(lines) // 50}
    found = []
    for words in lines:
        shared = [word if word in common else b"*" for word in words]
        found.append(b" ".join(shared if shared.count(b"*") * 2 <= len(shared) else words))
    return found
