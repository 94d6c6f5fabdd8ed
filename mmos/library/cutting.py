"""Cuts a text into the pieces that are indexed: filled, with borders between sentences, and with the headings above them."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from mmos.library.outlines import Section, outline
from mmos.library.passages import SIZE, Piece

OVERLAP = 200
"""The characters that two neighbours share. An answer at a border then lies whole in one of them."""
_NEAR = 0.08
"""How far from its limit a piece may end for the sake of a good border, as a part of its size. Less filled pieces are found less often."""
_APART = 0.1
"""How far from the overlap a piece may begin for the sake of a good border, as a part of its size."""
_WORD = 100
"""The longest word, or hidden sign with its bearer, that is kept whole."""

_INK = re.compile(r"\S")
_SPACE = re.compile(r"\s+")
_SENTENCE = re.compile(r"\n\s*|(?<=[.!?…。！？])[\"'”’)\]]{0,3}\s+(?=[\"'“‘(\[]?[^\Wa-z_])|(?<=[。！？])(?=\S)")
_JOINERS = "\u200d\ufe0e\ufe0f"


def cut(text: str, language: str = "text", *, size: int = SIZE, overlap: int = OVERLAP) -> list[Piece]:
    """The pieces of a text, in their order. Together they have all of its words.

    Example::

        for piece in cut(text, "markdown"):
            print(piece.path, text[piece.start : piece.end])
    """
    spans = list(_spans(text, size, min(overlap, size // 2)))
    paths = _paths(spans, outline(text, language)) if spans else []
    return [Piece(start, end, path) for (start, end), path in zip(spans, paths, strict=True)]


def _spans(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    length = len(text.rstrip())
    ink, before, done = _INK.search(text), -1, 0
    while ink:
        start = ink.start()
        if length - start <= size:
            if before >= 0:  # the last piece is filled, too, with what stands before it
                start = min(start, _first(text, max(before + overlap, length - size), start, size))
            yield start, length
            return
        end = _end(text, start, start + size)
        filled = len(text[start:end].rstrip()) + start
        if filled > done:  # it has words that the one before does not have
            yield start, filled
            done = filled
        before, ink = start, _INK.search(text, _next(text, start, end, size, overlap))


def _end(text: str, start: int, limit: int) -> int:
    """Where a piece ends that begins at `start`: at the last good border before the limit."""
    lowest = limit - max(1, int((limit - start) * _NEAR))
    for border, low in ((_SENTENCE, lowest), (_SPACE, max(start + 1, min(lowest, limit - _WORD)))):
        if found := _last(border, text, low, limit):
            return found
    return _whole(text, start, limit)


def _last(border: re.Pattern[str], text: str, low: int, limit: int) -> int:
    ends = [min(one.end(), limit) for one in border.finditer(text, low, min(limit + 1, len(text))) if one.start() <= limit]
    return ends[-1] if ends and ends[-1] > low else 0


def _whole(text: str, start: int, limit: int) -> int:
    """The last place before the limit that does not part a sign from the marks on it."""
    for place in range(limit, max(start, limit - _WORD), -1):
        if not _belongs(text, place):
            return place
    return limit


def _belongs(text: str, place: int) -> bool:
    """Whether the character at `place` is one sign with the character before it."""
    if place >= len(text):
        return False
    here, before = text[place], text[place - 1]
    halves = "\ud800" <= before <= "\udbff" and "\udc00" <= here <= "\udfff"
    return halves or here in _JOINERS or before == "\u200d" or bool(unicodedata.combining(here)) or (before, here) == ("\r", "\n")


def _next(text: str, start: int, end: int, size: int, overlap: int) -> int:
    """Where the piece after `start` to `end` begins. It is further on than `start`, and not behind `end`."""
    wanted, apart = end - overlap, int(size * _APART)
    return _first(text, max(start + 1, wanted - apart), min(end, wanted + apart), size) if overlap else end


def _first(text: str, low: int, high: int, size: int) -> int:
    """The first good border from `low` to `high`, else any place where no sign is parted."""
    if low >= high:
        return low
    for border in (_SENTENCE, _SPACE):
        found = border.search(text, low - 1, min(high, low + size))
        if found and low <= found.end() <= high:
            return found.end()
    return next((place for place in range(low, min(high, low + _WORD)) if not _belongs(text, place)), low)


def _paths(spans: Sequence[tuple[int, int]], sections: Sequence[Section]) -> Iterator[str]:
    """The path of the section that has most of each piece."""
    starts = [one.start for one in sections]
    for start, end in spans:
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, end - 1)
        borders = [start, *starts[first + 1 : last], end]
        largest = max(range(len(borders) - 1), key=lambda one: borders[one + 1] - borders[one])
        yield sections[first + largest].path
