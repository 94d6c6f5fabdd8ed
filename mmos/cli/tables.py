"""Tables for people: columns side by side, coloured, that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

import click

from mmos.cli.cells import cells, fit, flat

Cell = str | tuple[str, str]
"""A text, or a text and its colour."""

_LEAST = 32
"""Cells of the terminal that the last column of a table should have."""


_ROOM = 24
"""Cells that it gets in any case, at the cost of the others, which then are cut."""

_NARROWEST = 6


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], spare: Sequence[str] = ()) -> None:
    """Print a table as wide as the terminal, or as wide as it likes in a pipe."""
    for line in columns(heads, rows, terminal_width(), spare):
        click.echo(line)


def columns(heads: Sequence[str], rows: Iterable[Sequence[Cell]], width: int | None, spare: Sequence[str] = ()) -> list[str]:
    """Columns side by side, coloured; the last one is cut at `width`, or takes all it needs where there is none.

    Where too little is left for it, the `spare` columns are left out, one after the other; then the widest are cut.
    """
    listed = [[_cell(head) for head in heads], *([_cell(cell) for cell in row] for row in rows)]
    kept = list(range(len(heads)))
    for head in [*spare, ""]:
        widths = {column: max(cells(row[column][0]) for row in listed) for column in kept}
        room = None if width is None else width - sum(widths[column] + 2 for column in kept[:-1])
        if room is None or room >= min(_LEAST, widths[kept[-1]]) or not head:
            break
        kept.remove(heads.index(head))
    if room is not None:
        room = _squeeze(widths, room)
    cut = None if room is None else max(1, room)
    return [_line([row[column] for column in kept], list(widths.values()), cut, bold=number == 0) for number, row in enumerate(listed)]


def _squeeze(widths: dict[int, int], room: int) -> int:
    """Let the widest columns give way where too little is left for the last one; what it has then."""
    *others, last = widths
    while room < min(_ROOM, widths[last]) and others and widths[widest := max(others, key=widths.__getitem__)] > _NARROWEST:
        widths[widest] -= 1
        room += 1
    return room


def terminal_width() -> int | None:
    """None in a pipe: nothing has to fit."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None


def _line(row: Sequence[tuple[str, str]], widths: Sequence[int], room: int | None, *, bold: bool) -> str:
    last = len(row) - 1
    parts = []
    for column, (text, colour) in enumerate(row):
        cut = fit(text, widths[column]) if column < last else text if room is None else fit(text, room)
        padding = " " * (widths[column] - cells(cut)) if column < last else ""
        parts.append((click.style(cut, fg=colour or None, bold=bold) if colour or bold else cut) + padding)
    return "  ".join(parts).rstrip()


def _cell(cell: Cell) -> tuple[str, str]:
    text, colour = cell if isinstance(cell, tuple) else (cell, "")
    return flat(text), colour
