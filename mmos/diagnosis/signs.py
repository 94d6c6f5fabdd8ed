"""A sign: words in a log that show a failure of one category, and the log in a form that is easy to search."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from mmos.diagnosis.cleaning import clean
from mmos.diagnosis.log import Line
from mmos.diagnosis.masking import mask

_QUOTES = str.maketrans({'"': "'", "`": "'", "‘": "'", "’": "'", "“": "'", "”": "'", "´": "'"})
_ESCAPES = re.compile(r"\\+(?:([nrt])(?![a-z]:)|')")
_LONGEST = 1000
"""Characters of a line that are searched. The message stands at its beginning, and a hostile line may be long."""


@dataclass(frozen=True)
class Sign:
    """`phrases` are patterns; one of them must stand in a log whose text is in lower case, with every quotation mark as `'`."""

    category: str
    phrases: tuple[str, ...]
    beside: str = ""
    """What must stand in the log, too."""
    unless: str = ""
    """What must not stand in the log."""
    both: bool = False
    """Whether the words beside it are evidence, too."""
    confidence: float = 0.9

    @cached_property
    def search(self) -> re.Pattern[str]:
        return re.compile("|".join(self.phrases), re.MULTILINE)


class Finding(NamedTuple):
    """A sign that a log has."""

    category: str
    lines: tuple[Line, ...]
    names: dict[str, str]
    confidence: float


class Text:
    """The lines of a log as one text in lower case. A sign must stand in the line `focus`, if there is one; what is beside it may stand anywhere."""

    def __init__(self, lines: Sequence[Line], focus: Line | None = None) -> None:
        self._lines = lines
        self._focus = focus
        plain = [_plain(line.text) for line in lines]
        self.folded = "\n".join(plain)
        self._starts = list(accumulate((len(text) + 1 for text in plain), initial=0))

    def has(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.folded, re.MULTILINE)

    def line_at(self, place: int) -> Line:
        return self._lines[bisect_right(self._starts, place) - 1]

    def find(self, sign: Sign) -> Finding | None:
        matches = sign.search.finditer(self.folded)
        match = next((match for match in matches if self._focus is None or self.line_at(match.start()) == self._focus), None)
        if match is None or (sign.unless and self.has(sign.unless)):
            return None
        beside = self.has(sign.beside) if sign.beside else match
        if beside is None:
            return None
        names = {name: self._original(match, name) for name, part in match.groupdict().items() if part}
        lines = {self.line_at(place.start()) for place in ((match, beside) if sign.both else (match,))}
        return Finding(sign.category, tuple(sorted(lines)), names, sign.confidence)

    def _original(self, match: re.Match[str], name: str) -> str:
        """A named part of a match as the log has it, not in lower case."""
        start, end = match.span(name)
        text = self.line_at(start).text
        at = text.lower().find(self.folded[start:end])
        return text[at : at + end - start] if at >= 0 else self.folded[start:end]


def lines_of(log: str) -> list[Line]:
    """The lines of a small log."""
    return [Line(number, mask(clean(text.encode()))) for number, text in enumerate(log.removesuffix("\n").split("\n"), 1) if log]


def _plain(text: str) -> str:
    return _ESCAPES.sub(lambda match: " " if match[1] else "'", text[:_LONGEST].translate(_QUOTES)).lower()
