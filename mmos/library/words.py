"""Splits texts into words, stems and sentences, for ranking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from unicodedata import normalize

from mmos.library.stemming import porter

STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    ]
)
"""The words that Lucene leaves out. As stems they say nothing; as exact words they count a little."""
_UNSPACED = r"\u0e01-\u0e30\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
"""Thai, Chinese and Japanese have no spaces between words. There, each sign is a word."""
_SIGNS = re.compile(f"[{_UNSPACED}]")
UNSPACED = 0.1
_SPACED = "".join(sign if sign.isalnum() else " " for sign in map(chr, range(128)))
"""What each sign of ASCII becomes: to split at spaces takes half as long as to look for words."""
_MARKS = re.compile(r"[\u0300-\u036f]+")
_SENTENCE = re.compile(r"\n|(?<=[.!?])\s+(?=[A-Z0-9(\"'\[])|(?<=[。！？])")


def words(text: str) -> list[str]:
    """The words of a text in their order, in small letters and without accents."""
    if text.isascii():
        return text.lower().translate(_SPACED).split()
    return _WORD.findall(normalize("NFC", _MARKS.sub("", normalize("NFKD", text))).lower())


def is_unspaced(text: str) -> bool:
    """Whether much of a text is in a script without spaces between words."""
    return len(_SIGNS.findall(text)) > UNSPACED * max(1, len(text))


def sentences(text: str) -> list[str]:
    """The sentences and the lines of a text."""
    return [part for part in _SENTENCE.split(text) if part]


def places_of_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where the sentences and the lines of a text begin and end."""
    start = 0
    for found in _SENTENCE.finditer(text):
        if found.start() > start:
            yield start, found.start()
        start = found.end()
    if start < len(text):
        yield start, len(text)


class Stems(dict[str, str]):
    """The stem of each word that was asked for. A word that is new is worked out once."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST:
            self.clear()
        found = self[word] = porter(word)
        return found


_MOST = 200_000
"""The words whose stems are kept: some 20 MB."""
_stems = Stems()


def stem(word: str) -> str:
    return _stems[word]


def stems_of(found: Iterable[str]) -> set[str]:
    """The different stems of words, without stop words."""
    return set(map(_stems.__getitem__, set(found) - STOP))
