"""A sign: words in a log that show a failure of one category, and the log in a form that is easy to search."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mmos.diagnosis.log import Line

_QUOTES = str.maketrans({'"': "'", "`": "'", "‘": "'", "’": "'", "“": "'", "”": "'", "´": "'"})
_ESCAPES = re.compile(r"\\+(?:([nrt])(?![a-z]:)|')")
_LONGEST = 2000
"""Characters of a line that are searched. The message stands at its beginning, and a hostile line may be long."""
_SHORT = 400
"""A log of so few lines is about one thing, so that any of them may show the failure."""
_NEAR = 2


@dataclass(frozen=True)
class Sign:
    """`phrases` are patterns; one of them must stand in a log whose text is in lower case, with every quotation mark as `'`."""

    category: str
    phrases: tuple[str, ...]
    beside: str = ""
    """What must stand in the log, too."""
    unless: str = ""
    """What must not stand in the log."""
    confidence: float = 0.9
    anywhere: bool = True
    """Whether it counts on each line of a long log, or only near those that most likely name the cause."""

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
    """The lines of a log as one text in lower case."""

    def __init__(self, lines: Sequence[Line], likely: Iterable[Line] = ()) -> None:
        self.lines = lines
        plain = [_plain(line.text) for line in lines]
        self.folded = "\n".join(plain)
        self._starts = [0]
        for text in plain:
            self._starts.append(self._starts[-1] + len(text) + 1)
        self._likely = {line.number + step for line in likely for step in range(-_NEAR, _NEAR + 1)}

    @property
    def short(self) -> bool:
        return len(self.lines) <= _SHORT

    def has(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.folded, re.MULTILINE)

    def line_at(self, place: int) -> Line:
        return self.lines[bisect_right(self._starts, place) - 1]

    def spanned(self, match: re.Match[str]) -> tuple[Line, ...]:
        """The lines of a match."""
        first = bisect_right(self._starts, match.start()) - 1
        last = bisect_right(self._starts, max(match.start(), match.end() - 1)) - 1
        return tuple(self.lines[first : last + 1])

    def is_likely(self, line: Line) -> bool:
        return self.short or line.number in self._likely

    def original(self, match: re.Match[str], name: str) -> str:
        """A named part of a match as the log has it, not in lower case."""
        start, end = match.span(name)
        line = self.line_at(start)
        at = line.text.lower().find(self.folded[start:end])
        return line.text[at : at + end - start] if at >= 0 else self.folded[start:end]

    def find(self, sign: Sign) -> Finding | None:
        if (sign.unless and self.has(sign.unless)) or (sign.beside and not self.has(sign.beside)):
            return None
        for match in sign.search.finditer(self.folded):
            lines = self.spanned(match)
            if sign.anywhere or any(map(self.is_likely, lines)):
                names = {name: self.original(match, name) for name, part in match.groupdict().items() if part}
                return Finding(sign.category, self._with_neighbour(sign, lines), names, sign.confidence)
        return None

    def _with_neighbour(self, sign: Sign, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """The lines of the sign, and the line with what must stand beside it."""
        beside = self.has(sign.beside) if sign.beside else None
        other = self.line_at(beside.start()) if beside else lines[0]
        return lines if other in lines else tuple(sorted((*lines, other)))


def _plain(text: str) -> str:
    return _ESCAPES.sub(lambda match: " " if match[1] else "'", text[:_LONGEST].translate(_QUOTES)).lower()
