"""Finds the places in source files that a line of a log names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mmos.diagnosis.log import Line

_PATH = r"(?:[A-Za-z]:)?[\\/]?[\w.@+~-]{1,80}(?:[\\/][\w.@+~ -]{1,80}){0,30}"
_FORMS = (
    re.compile(r'File "([^"\n]{1,1000})", line (\d{1,7})'),  # Python
    re.compile(rf"({_PATH}\.\w{{1,8}})[:(](\d{{1,7}})(?:[,:]\d{{1,5}})?\)?"),  # compilers, linters, pytest, Node, Rust
    re.compile(rf"({_PATH}\.\w{{1,8}})\b[^:\n]{{0,20}} line (\d{{1,7}})"),
)
LONGEST = 500


class Place(NamedTuple):
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def places(text: str) -> Iterator[Place]:
    """The places that a line names, in the order in which they stand."""
    text = text[:LONGEST]
    found = sorted((match.start(), match[1], int(match[2])) for form in _FORMS for match in form.finditer(text))
    return iter(dict.fromkeys(Place(path.removeprefix("./").strip(), number) for _, path, number in found))


def nearest(evidence: Iterable[Line], before: Iterable[Line], own: Callable[[str], str | None]) -> Place | None:
    """The place of a failure: the first that the evidence names, else the last that the lines before it name.

    `own` gives the name of a file in the user's project, and None for all others.
    """
    for line in (*evidence, *reversed([*before])):
        for place in places(line.text):
            path = own(place.path)
            if path is not None:
                return Place(path, place.line)
    return None
