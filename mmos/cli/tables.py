"""Prints tables with coloured columns that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

import click

from mmos.cli.styles import Style, style
from mmos.cli.text import cells, fit, flat

Cell = str | tuple[str, Style]
"""A text, or a text and its style."""

_LEAST = 32
"""Preferred width of a table's last column, in cells."""


_ROOM = 24
"""Least width of the last column. The other columns are cut for it."""

_NARROWEST = 6

IN_A_PIPE = 200
"""Longest line in a pipe, in cells. --json has everything."""

_ENOUGH = 4_000

ENDLESS = 10_000
"""The width of a chat page in a pipe: texts are not wrapped, and tables are as wide as IN_A_PIPE."""


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], spare: Sequence[str] = ()) -> None:
    """Print a table that fits the terminal, or IN_A_PIPE."""
    for line in columns(heads, rows, terminal_width(), spare):
        click.echo(line)


def line(text: str, indent: int = 0) -> str:
    """Put a text on one line that fits like a table."""
    return fit(_flat(text), max(1, (terminal_width() or IN_A_PIPE) - indent))


def columns(heads: Sequence[str], rows: Iterable[Sequence[Cell]], width: int | None, spare: Sequence[str] = ()) -> list[str]:
    """Write one line for each row. The last column is cut at `width`. In a pipe (None) every column is there.

    If the last column gets too narrow, the `spare` columns are left out one by one, then the widest columns are cut.
    """
    if width is None or width >= ENDLESS:
        width, spare = IN_A_PIPE, ()
    listed = [[_cell((head, "bold")) for head in heads], *([_cell(cell) for cell in row] for row in rows)]
    left = list(range(len(heads)))
    for head in [*spare, ""]:
        widths = {column: max(cells(row[column][0]) for row in listed) for column in left}
        room = width - sum(widths[column] + 2 for column in left[:-1])
        if room >= min(_LEAST, widths[left[-1]]) or not head:
            break
        left.remove(heads.index(head))
    cut = max(1, _squeeze(widths, room))
    return [_line([row[column] for column in left], list(widths.values()), cut) for row in listed]


def _squeeze(widths: dict[int, int], room: int) -> int:
    """Shrink the widest columns if the last one is too narrow. Return the width of the last one."""
    *others, last = widths
    while room < min(_ROOM, widths[last]) and others and widths[widest := max(others, key=widths.__getitem__)] > _NARROWEST:
        widths[widest] -= 1
        room += 1
    return room


def terminal_width() -> int | None:
    """None in a pipe."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None


def _line(row: Sequence[tuple[str, Sequence[Style]]], widths: Sequence[int], room: int) -> str:
    last = len(row) - 1
    parts = []
    for column, (text, styles) in enumerate(row):
        cut = fit(text, widths[column] if column < last else room)
        padding = " " * (widths[column] - cells(cut)) if column < last else ""
        parts.append(style(cut, *styles) + padding)
    return "  ".join(parts).rstrip()


def _cell(cell: Cell) -> tuple[str, Sequence[Style]]:
    return (_flat(cell), ()) if isinstance(cell, str) else (_flat(cell[0]), cell[1:])


def _flat(text: str) -> str:
    """Put a text on one line. Of a long text, read only as much as a line can hold."""
    return flat(text) if len(text) <= _ENOUGH else flat(text[:_ENOUGH]) + "…"
