"""Puts two texts beside each other in columns, and marks the lines that only one of them has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from mmos.cli.styles import style
from mmos.cli.tables import terminal_width
from mmos.cli.text import cells, fit, flat, wrapped

RULE = " │ "
NARROWEST = 24
"""Cells of a column. On a narrower terminal the texts stand below each other."""
IN_A_PIPE = 160
WIDEST = 240
"""Wider columns are hard to read."""


def sides(heads: Sequence[str], texts: Sequence[str], width: int | None = None) -> Iterator[str]:
    """The lines of two texts beside each other, or of one text alone. What only one of them has is bold."""
    width = min(width or terminal_width() or IN_A_PIPE, WIDEST)
    column = (width - cells(RULE)) // 2
    if len(texts) == 1 or column < NARROWEST:
        for head, text in zip(heads, texts, strict=True):
            yield style(fit(flat(head), width), "bold", "underline")
            yield from wrapped(text, width)
            yield ""
        return
    yield _row([fit(flat(head), column) for head in heads], column, marked=(True, True))
    yield f"{'─' * (column + 1)}┼{'─' * (column + 1)}"
    yield from _body(texts, column)


def pairs(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Two names at a time. A last one stands alone."""
    return (names[start : start + 2] for start in range(0, len(names), 2))


def _body(texts: Sequence[str], column: int) -> Iterator[str]:
    common = set(texts[0].split("\n")) & set(texts[1].split("\n"))
    columns = [[(line, source not in common) for source in text.split("\n") for line in wrapped(source, column)] for text in texts]
    for left, right in zip_longest(*columns, fillvalue=("", False)):
        yield _row([left[0], right[0]], column, marked=(left[1], right[1]))


def _row(parts: Sequence[str], column: int, *, marked: tuple[bool, bool]) -> str:
    left, right = (style(part, "bold") if is_marked and part.strip() else part for part, is_marked in zip(parts, marked, strict=True))
    return f"{left}{' ' * max(0, column - cells(parts[0]))}{style(RULE, 'dim')}{right}".rstrip()
