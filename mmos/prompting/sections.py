"""Splits a file of `prompts/` into sections: short texts, each below a line `## NAME`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_HEADING = re.compile(r"^##[ \t]+(\S+)[ \t\r]*(?:\n|\Z)", re.MULTILINE)


class Place(NamedTuple):
    """A place in a text, and its line."""

    line: int
    name: str


@dataclass(frozen=True)
class Section:
    """A part of a file. The part above the first heading has no name."""

    name: str
    above: int
    """How many lines of the file are above its text."""
    raw: str
    """With its heading, if it has one."""
    text: str


def sections(raw: str) -> list[Section]:
    """All parts of a file, in their order."""
    headings = [*_HEADING.finditer(raw)]
    ends = [*(heading.start() for heading in headings), len(raw)]
    found = [Section("", 0, raw[: ends[0]], raw[: ends[0]])]
    for heading, end in zip(headings, ends[1:], strict=True):
        text = raw[heading.end() : end]
        found.append(Section(heading[1], raw.count("\n", 0, heading.start()) + 1, raw[heading.start() : end].rstrip() + "\n", text))
    return found
