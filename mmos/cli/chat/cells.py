"""Text in the cells of a terminal: how wide it is, as much of it as fits, columns, and ink where colours are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmos.cli.output import harmless

LEAST_ROOM = 24
"""Cells that the last column of a table gets, where it needs them."""

NARROWEST = 6


@dataclass(frozen=True)
class Ink:
    """Styles that are left out where no colours are wanted."""

    colour: bool = False

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def bold(self, text: str) -> str:
        return self._in("1", text)

    def red(self, text: str) -> str:
        return self._in("31", text)

    def green(self, text: str) -> str:
        return self._in("32", text)

    def cyan(self, text: str) -> str:
        return self._in("36", text)

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour and text else text


def cells(text: str) -> int:
    """How many cells a text without styles takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    width = wcswidth(text)
    return width if width >= 0 else len(text)


def flat(text: str) -> str:
    """The text in one line, without what would steer the terminal."""
    return " ".join(harmless(text).split())


def fit(text: str, width: int) -> str:
    """As much of a line as fits; what was left out shows."""
    if cells(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while kept and cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…" if width > 0 else ""


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> list[str]:
    """A table; the last column takes what is left, and the widest of the others give way where that is too little."""
    listed = [list(heads), *([flat(str(cell)) for cell in row] for row in rows)]
    widths = [max(cells(row[column]) for row in listed) for column in range(len(heads))]
    least = min(widths[-1], LEAST_ROOM)
    while sum(widths[:-1]) + 2 * len(heads[1:]) + least > width and max(widths[:-1]) > NARROWEST:
        widths[widths.index(max(widths[:-1]))] -= 1
    widths[-1] = max(least, width - sum(widths[:-1]) - 2 * len(heads[1:]))
    return ["  ".join(pad(fit(cell, wide), wide) for cell, wide in zip(row, widths, strict=True)).rstrip() for row in listed]


def wrapped(text: str, width: int) -> list[str]:
    """Plain text in lines that fit; a word that is longer than a line is cut."""
    lines: list[str] = []
    for paragraph in harmless(text).expandtabs(4).split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and cells(line) + 1 + cells(word) > width:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
            while cells(line) > width:
                head = fit(line, width + 1).removesuffix("…") if cells(line) > width + 1 else line[:-1]
                head = head or line[:1]
                lines.append(head)
                line = line[len(head) :]
        lines.append(line)
    return lines
