"""Splits a text into parts that fit a budget of tokens, at the strongest joints of its structure. Joined, the parts are the text again."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from mmos.prompting.budget import estimate

LETTERS_A_TOKEN = 4
"""No usual text has more characters for each token."""
EVENNESS = 1.15
"""How much longer than its share of the rest a part may be."""
LONGEST_TITLE = 80
DEFINITIONS = 3
"""A text with so many lines that begin a definition is code."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+([^\n]*)", re.MULTILINE)
_UNDERLINED = re.compile(r"^([^\s#>*+\-=|][^\n]{0,120})\n(={3,}|-{3,})[ \t]*$", re.MULTILINE)
_DEFINITION = re.compile(
    r"""^(?:
        (?:async[ ]+)?def[ ]+[\w.]+ | class[ ]+\w+[^\n.]{0,200}[:{(]?[ ]*$ | module[ ]+[\w:]+[ ]*$
      | (?:export[ ]+)?(?:default[ ]+)?(?:async[ ]+)?function\b[ *]*\w*[ ]*\( | local[ ]+function[ ]+\w+
      | (?:export[ ]+)?(?:declare[ ]+)?(?:abstract[ ]+)?(?:class|interface|enum|namespace)[ ]+\w+[^\n.]{0,200}\{
      | export[ ]+(?:const|let|var|type)[ ]+\w+ | (?:const|let|var)[ ]+\w+[^\n]{0,80}=
      | func[ ]+(?:\([^)\n]{0,80}\)[ ]*)?\w+ | type[ ]+\w+[ ]+(?:struct|interface|func)\b
      | (?:pub(?:\([^)\n]{0,40}\))?[ ]+)?(?:async[ ]+|unsafe[ ]+|const[ ]+)*(?:fn|struct|enum|impl|trait|mod|union)\b[ <]
      | (?:(?:public|private|protected|internal|static|final|abstract|sealed|open|data|case|suspend|override|extern|inline)[ ]+){1,5}\w[^\n;]{0,200}[({]
      | (?:[A-Za-z_][\w:<>*&]{0,60}[ *&]+){1,4}[\w:~]{1,60}\([^;\n]{0,200}\)[^;\n]{0,40}\{
      | (?:CREATE|ALTER|DROP|INSERT|SELECT|UPDATE|DELETE|WITH)[ ][^\n]{0,200} | \w+[ ]*\(\)[ ]*\{
    )""",
    re.VERBOSE | re.MULTILINE,
)
_ABOVE = re.compile(r"[ \t]*(?:@|#|//|/\*|\*|--|\[)")
"""A line that belongs to the definition below it."""
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"[.!?…。！？][\"'”’)\]]{0,3}(?:\s+|(?<=[。！？]))")
_BLANK = re.compile(r"\s+")

_JOINTS: tuple[tuple[re.Pattern[str], float], ...] = ((_PARAGRAPH, 0.6), (_LINE, 0.8), (_SENTENCE, 0.7), (_BLANK, 0.8))
"""Where a text is cut if it has no heading there, the best first, and the share of a part above which the cut is looked for."""
_TITLED = 0.5
"""The same for headings and definitions."""


@dataclass(frozen=True)
class Part:
    """A part of a text, and where it is."""

    text: str
    number: int
    of: int
    path: tuple[str, ...] = ()
    """The headings above its beginning, the outermost first."""


@dataclass(frozen=True)
class Title:
    """A heading, or the first line of a definition."""

    start: int
    level: int
    text: str


def split(text: str, budget: float, weigh: Callable[[str], float] = estimate) -> list[Part]:
    """The parts of a text, each of at most `budget` tokens. A single character is never cut."""
    outline = _Outline(text)
    starts = list(_starts(text, budget, weigh, outline))
    pairs = pairwise([*starts, len(text)])
    paths = outline.paths(starts)
    return [
        Part(text[start:end], number, len(starts), path) for number, ((start, end), path) in enumerate(zip(pairs, paths, strict=True), 1)
    ]


def _starts(text: str, budget: float, weigh: Callable[[str], float], outline: _Outline) -> Iterator[int]:
    """Where the parts begin."""
    start, rest = 0, weigh(text)
    while rest > budget and len(text) - start > 1:
        yield start
        even = rest / -(-rest // budget) * EVENNESS
        end = _end(text, start, _reach(text, start, min(budget, even), weigh), outline)
        rest -= weigh(text[start:end])
        start = end
    if start < len(text) or not text:
        yield start


def _reach(text: str, start: int, budget: float, weigh: Callable[[str], float]) -> int:
    """The farthest end of a part that begins at `start`: one character at least."""
    low, high = start + 1, min(len(text), start + 1 + int(budget * LETTERS_A_TOKEN))
    while low < high:
        middle = (low + high + 1) // 2
        if weigh(text[start:middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _end(text: str, start: int, reach: int, outline: _Outline) -> int:
    """The best end of a part, not after `reach`."""
    if reach >= len(text):
        return len(text)
    titled = outline.last(start + max(1, int((reach - start) * _TITLED)), reach)
    if titled is not None:
        return titled
    for pattern, share in _JOINTS:
        least = start + int((reach - start) * share)
        ends = [found.end() for found in pattern.finditer(text, max(start, least - 1), reach)]
        ends = [end for end in ends if least < end <= reach and end > start]
        outside = [end for end in ends if pattern is not _PARAGRAPH or not outline.is_fenced(end)]
        if outside:
            return outside[-1]
    return reach - 1 if text[reach - 1] == "\r" and text[reach] == "\n" and reach - 1 > start else reach


class _Outline:
    """The headings of a text, or the definitions of code."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _fences(self) -> list[int]:
        """Where fences open and close, by turns."""
        places: list[int] = []
        opening = ""
        for found in _FENCE.finditer(self._text):
            if not opening:
                opening = found[1]
                places.append(found.start())
            elif found[1].startswith(opening):
                opening = ""
                places.append(found.end())
        return places

    def is_fenced(self, place: int) -> bool:
        return bool(bisect_right(self._fences, place) % 2)

    @cached_property
    def titles(self) -> list[Title]:
        """In their order."""
        definitions = [found for found in _DEFINITION.finditer(self._text) if not self.is_fenced(found.start())]
        if len(definitions) >= DEFINITIONS:
            return [Title(self._with_above(found.start()), 1, _title(self._line(found.start()))) for found in definitions]
        headings = [(found, len(found[1]), found[2].strip().rstrip("#")) for found in _HEADING.finditer(self._text)]
        headings += [(found, 1 if found[2][0] == "=" else 2, found[1]) for found in _UNDERLINED.finditer(self._text)]
        titles = [Title(found.start(), level, _title(text)) for found, level, text in headings if not self.is_fenced(found.start())]
        return sorted(titles, key=lambda title: title.start)

    @cached_property
    def _starts(self) -> list[int]:
        return [title.start for title in self.titles]

    def last(self, least: int, most: int) -> int | None:
        """Where the outermost title in a stretch begins; of several, the last one."""
        inside = self.titles[bisect_right(self._starts, least - 1) : bisect_right(self._starts, most)]
        if not inside:
            return None
        top = min(title.level for title in inside)
        return [title.start for title in inside if title.level == top][-1]

    def paths(self, places: list[int]) -> list[tuple[str, ...]]:
        """For each place, in their order, the titles that hold there."""
        paths, above, titles = [], list[Title](), iter([*self.titles, None])
        title = next(titles)
        for place in places:
            while title is not None and title.start <= place:
                above = [*(one for one in above if one.level < title.level), title]
                title = next(titles)
            paths.append(tuple(one.text for one in above if one.text))
        return paths

    def _with_above(self, start: int) -> int:
        """Where a definition begins, with the comments and decorators directly above it."""
        while start > 0:
            before = self._text.rfind("\n", 0, start - 1) + 1
            if not _ABOVE.match(self._text, before, start):
                return start
            start = before
        return start

    def _line(self, start: int) -> str:
        end = self._text.find("\n", start)
        return self._text[start : end if end >= 0 else len(self._text)]


def _title(text: str) -> str:
    text = " ".join(text[: 2 * LONGEST_TITLE].split()).rstrip(" {:(")
    return text if len(text) <= LONGEST_TITLE else f"{text[:LONGEST_TITLE]}…"
