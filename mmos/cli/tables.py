"""Tables for people: columns side by side, coloured, that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

import click

from mmos.cli.cells import cells, fit, flat
from mmos.cli.guard import style

Cell = str | tuple[str, str]
"""A text, or a text and its colour."""

_LEAST = 32
"""Cells of the terminal that the last column of a table should have."""


_ROOM = 24
"""Cells that it gets in any case, at the cost of the others, which then are cut."""

_NARROWEST = 6

IN_A_PIPE = 200
"""Cells of the longest line where no terminal sets a limit; whoever wants all of it takes --json."""

_ENOUGH = 4_000

ENDLESS = 10_000
"""The width of a page that is a pipe: its texts are not broken, and its tables are as wide as any table in a pipe."""


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], spare: Sequence[str] = ()) -> None:
    """Print a table that fits the terminal, or IN_A_PIPE."""
    for line in columns(heads, rows, terminal_width(), spare):
        click.echo(line)


def line(text: str, indent: int = 0) -> str:
    """The text in one line that fits the same."""
    return fit(_flat(text), max(1, (terminal_width() or IN_A_PIPE) - indent))


def columns(heads: Sequence[str], rows: Iterable[Sequence[Cell]], width: int | None, spare: Sequence[str] = ()) -> list[str]:
    """Columns side by side, coloured, one line for each row; the last one is cut at `width`. In a pipe (None) every column is there.

    Where too little is left for it, the `spare` columns are left out, one after the other; then the widest are cut.
    """
    if width is None or width >= ENDLESS:
        width, spare = IN_A_PIPE, ()
    listed = [[_cell(head) for head in heads], *([_cell(cell) for cell in row] for row in rows)]
    kept = list(range(len(heads)))
    for head in [*spare, ""]:
        widths = {column: max(cells(row[column][0]) for row in listed) for column in kept}
        room = width - sum(widths[column] + 2 for column in kept[:-1])
        if room >= min(_LEAST, widths[kept[-1]]) or not head:
            break
        kept.remove(heads.index(head))
    cut = max(1, _squeeze(widths, room))
    return [_line([row[column] for column in kept], list(widths.values()), cut, bold=number == 0) for number, row in enumerate(listed)]


def _squeeze(widths: dict[int, int], room: int) -> int:
    """Let the widest columns give way where too little is left for the last one; what it has then."""
    *others, last = widths
    while room < min(_ROOM, widths[last]) and others and widths[widest := max(others, key=widths.__getitem__)] > _NARROWEST:
        widths[widest] -= 1
        room += 1
    return room


def terminal_width() -> int | None:
    """None in a pipe."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None


def _line(row: Sequence[tuple[str, str]], widths: Sequence[int], room: int, *, bold: bool) -> str:
    last = len(row) - 1
    parts = []
    for column, (text, colour) in enumerate(row):
        cut = fit(text, widths[column] if column < last else room)
        padding = " " * (widths[column] - cells(cut)) if column < last else ""
        parts.append((style(cut, fg=colour or None, bold=bold) if colour or bold else cut) + padding)
    return "  ".join(parts).rstrip()


def _cell(cell: Cell) -> tuple[str, str]:
    text, colour = cell if isinstance(cell, tuple) else (cell, "")
    return _flat(text), colour


def _flat(text: str) -> str:
    """In one line; of a long text only as much as any line may hold is looked at."""
    return flat(text) if len(text) <= _ENOUGH else flat(text[:_ENOUGH]) + "…"
