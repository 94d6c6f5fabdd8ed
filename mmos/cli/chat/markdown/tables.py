"""Formats tables to the width of the terminal. A table that cannot fit becomes a list of its cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmos.cli.chat.markdown.inline import inline
from mmos.cli.chat.markdown.styles import BOLD, DIM, Span
from mmos.cli.chat.markdown.wrapping import Word, laid, words, wrap

RULE = re.compile(r" {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?$")
_BAR = re.compile(r"(?<!\\)\|")
HELD_ROWS = 20
"""The widths of the columns are set after this many rows."""

NARROWEST = 4
BETWEEN = " │ "

Row = list[list[Word]]


def split_row(line: str) -> list[str]:
    """Split a row into cells. A bar inside code or after a backslash does not end a cell."""
    bare = line.strip().removeprefix("|")
    if bare.endswith("|") and not bare.endswith("\\|"):
        bare = bare[:-1]
    shown = re.sub(r"(`+)[^`]+\1", lambda code: code.group().replace("|", "\0"), bare)
    return [cell.strip().replace("\0", "|").replace("\\|", "|") for cell in _BAR.split(shown)]


def is_head(head: str, rule: str) -> bool:
    """Whether two lines start a table."""
    return "|" in rule and "|" in head and RULE.match(rule) is not None and len(split_row(head)) == len(split_row(rule))


@dataclass
class Table:
    """Holds rows until the widths of the columns are set."""

    head: Row
    aligned: tuple[str, ...]
    colour: bool
    rows: list[Row] = field(default_factory=list)
    natural: list[int] = field(default_factory=list)
    """The preferred widths of the columns. Empty until they are set."""
    opened: bool = False
    """Whether the head has been shown."""

    @classmethod
    def of(cls, head: str, rule: str, *, colour: bool) -> Table:
        aligned = tuple((cell[:1] == ":") * "l" + (cell[-1:] == ":") * "r" for cell in split_row(rule))
        return cls([_cell(cell, colour) for cell in split_row(head)], aligned, colour)

    def copy(self) -> Table:
        return Table(self.head, self.aligned, self.colour, list(self.rows), list(self.natural), self.opened)

    def add(self, line: str) -> None:
        """Add a row. Extra cells go into the last column."""
        cells, count = split_row(line), len(self.head)
        cells[count - 1 :] = [" | ".join(cells[count - 1 :])]
        self.rows.append([_cell(cell, self.colour) for cell in [*cells, *[""] * (count - len(cells))]])

    @property
    def settled(self) -> bool:
        return bool(self.natural) or len(self.rows) >= HELD_ROWS

    def take(self, width: int) -> list[list[Span]]:
        """Give the lines of all held rows."""
        if not self.natural:
            self.natural = [max(1, *(_width(row[place]) for row in (self.head, *self.rows))) for place in range(len(self.head))]
        rows, self.rows = self.rows, []
        widths = _fitting(self.natural, width)
        if widths is None:
            opening = [] if self.opened or rows else _record(self.head, None, width)
            self.opened = True
            return [*opening, *(line for row in rows for line in _record(self.head, row, width))]
        lines = [line for row in rows for line in self._set(row, widths)]
        if not self.opened:
            self.opened = True
            rule = "─┼─".join("─" * width for width in widths) if self.colour else " | ".join("-" * width for width in widths)
            lines = [*self._set(self.head, widths, BOLD if self.colour else 0), [(rule, DIM)], *lines]
        return lines

    def _set(self, row: Row, widths: Sequence[int], style: int = 0) -> list[list[Span]]:
        """Draw one row. Cells that are longer than their column take several lines."""
        wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines: list[list[Span]] = []
        for place in range(max(len(cell) for cell in wrapped)):
            line: list[Span] = []
            for column, cell in enumerate(wrapped):
                text = [(part, shown | style) for part, shown in laid(cell[place])] if place < len(cell) else []
                free = widths[column] - sum(word.width + (word.gap and at > 0) for at, word in enumerate(cell[place] if text else []))
                line += [(BETWEEN if self.colour else " | ", DIM)] if column else []
                line += _aligned(text, max(0, free), self.aligned[column], last=column == len(widths) - 1)
            lines.append(line)
        return lines


def _aligned(text: list[Span], free: int, how: str, *, last: bool) -> list[Span]:
    before = free if how == "r" else free // 2 if how == "lr" else 0
    after = 0 if last else free - before
    return [(" " * before, 0), *text, (" " * after, 0)]


def _cell(text: str, colour: bool) -> list[Word]:
    return words(inline(text) if colour else [(re.sub(r"<br\s?/?>", "\n", text), 0)])


def _width(cell: Sequence[Word]) -> int:
    widest = used = 0
    for word in cell:
        used = 0 if word.breaks else used + word.width + (word.gap and used > 0)
        widest = max(widest, used)
    return widest


def _fitting(natural: Sequence[int], width: int) -> list[int] | None:
    """Give the columns their preferred widths if that fits. Otherwise shrink the widest first."""
    room = width - len(BETWEEN) * (len(natural) - 1)
    if room < sum(min(NARROWEST, width) for width in natural):
        return None
    low, high = NARROWEST, max(NARROWEST, *natural)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(min(middle, width) for width in natural) <= room else (low, middle - 1)
    widths = [min(low, width) for width in natural]
    for place, width in enumerate(natural):
        if width > widths[place] and sum(widths) < room:
            widths[place] += 1
    return widths


def _record(head: Row, row: Row | None, width: int) -> list[list[Span]]:
    """Draw a row if there is no room for columns."""
    if row is None:
        return [laid(line) for cell in head for line in wrap(cell, width)]
    lines: list[list[Span]] = []
    for name, cell in zip(head, row, strict=True):
        if cell or name:
            named = [Word(word.gap, tuple((text, style | BOLD) for text, style in word.spans), word.width, word.breaks) for word in name]
            lines += [laid(line) for line in wrap([*named, *_after(cell)], width)]
    return [*lines, [("─" * min(width, 8), DIM)]]


def _after(cell: list[Word]) -> list[Word]:
    return [Word(False, ((":", 0),), 1), *(word._replace(gap=word.gap or not place) for place, word in enumerate(cell))]
