"""Moves a passage to the sentences that fit the question: they are often near the end of a piece, and the answer behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmos.library.frequencies import Frequencies
from mmos.library.passages import SIZE
from mmos.library.ranking import weight_of
from mmos.library.rows import Row
from mmos.library.words import places_of_sentences, stems_of, words

LONGEST_WORD = 40
_SPACE = re.compile(r"\s+")
FARTHEST = 250
"""Characters by which a passage may begin before its piece, or end after it."""

LEAD = 100
"""Characters by which the middle of a passage lies behind the sentences that fit: an answer comes after what it answers."""


@dataclass(frozen=True)
class Stretch:
    """A part of the text of a source."""

    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def part(self, start: int, end: int) -> str:
        return self.text[start - self.start : end - self.start]


def joined(rows: Sequence[Row]) -> Stretch:
    """The text that neighbouring pieces of one source have together. They come in their order."""
    start, text = rows[0].start, rows[0].text
    for row in rows[1:]:
        end = start + len(text)
        if row.start > end and len(row.gap) != row.start - end:  # what is between them is not here
            break
        text += (row.gap if row.start > end else "") + row.text[max(0, end - row.start) :]
    return Stretch(start, text)


def span(question: str, row: Row, around: Stretch, frequencies: Frequencies) -> tuple[int, int]:
    """Where the passage of a piece begins and ends: with the sentences that fit the question in its middle, and as long as may be."""
    weights = {one: weight_of(frequencies.of_stem(one), frequencies.pieces) for one in _stems(question)}
    found = [(sum(weights[one] for one in weights.keys() & _stems(text)) ** 2, middle) for middle, text in _sentences(row)]
    total = sum(weight for weight, _ in found)
    middle = sum(weight * place for weight, place in found) / total + LEAD if total else (row.start + row.end) / 2
    most = min(SIZE, len(around.text))
    first = max(around.start, row.start - FARTHEST, row.end - SIZE - FARTHEST)
    last = max(first, min(around.end, row.end + FARTHEST) - most)
    start = max(first, min(last, round(middle - most / 2)))
    return _between_words(around, start, min(start + most, around.end))


def _between_words(around: Stretch, start: int, end: int) -> tuple[int, int]:
    """The same span without the parts of words at its ends."""
    text = around.part(start, end)
    if start > around.start and not text[:1].isspace() and not around.part(start - 1, start).isspace():
        found = _SPACE.search(text, 0, LONGEST_WORD)
        start += found.end() if found else 0
    if end < around.end and not text[-1:].isspace() and not around.part(end, end + 1).isspace():
        ends = [one.start() for one in _SPACE.finditer(text, max(0, len(text) - LONGEST_WORD))]
        end -= len(text) - ends[-1] if ends else 0
    return start, end


def _sentences(row: Row) -> Iterable[tuple[float, str]]:
    """Each sentence with the place of its middle in the source."""
    for start, end in places_of_sentences(row.text):
        yield row.start + (start + end) / 2, row.text[start:end]


def _stems(text: str) -> set[str]:
    return stems_of(words(text))


def around_of(row: Row, rows: Mapping[str, Sequence[Row]]) -> Stretch:
    """The text around a piece. `rows`: neighbours by source."""
    near = [one for one in rows.get(row.source, ()) if one.start <= row.end + FARTHEST and one.end >= row.start - FARTHEST]
    place = next((number for number, one in enumerate(near) if one.id == row.id), -1)
    if place < 0:  # it was replaced meanwhile
        return Stretch(row.start, row.text)
    stretch = joined(near)
    return stretch if stretch.start <= row.start and stretch.end >= row.end else Stretch(row.start, row.text)
