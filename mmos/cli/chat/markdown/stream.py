"""Formats Markdown that arrives in pieces: gives finished blocks once, and shows the open block as if the text ended here."""

from __future__ import annotations

import re

from mmos.cli.chat.markdown.blocks import Blocks
from mmos.cli.chat.markdown.leaves import LONGEST, Look
from mmos.cli.text import harmless

_UNCLEAR = re.compile(r"`+[\w+-]*|~+[\w+-]*|#{1,6}|[-*+=_|: ]*|>")
"""The start of a line whose kind is not yet known."""

NARROWEST = 4


class MarkdownStream:
    """Formats a stream. The lines do not depend on how the text is cut into pieces.

    It gives paragraphs at their end, code and lists line by line, and tables after their first rows, which set the widths of the columns.
    """

    def __init__(self, width: int, colour: bool = True) -> None:
        self._look = Look(max(NARROWEST, width), colour)
        self._begin()

    def _begin(self) -> None:
        self._blocks = Blocks(self._look)
        self._pending = ""
        """The line that is not complete yet."""
        self._long = False
        """Whether the start of that line was shown already."""
        self._tail: list[str] | None = []

    def feed(self, text: str) -> list[str]:
        """Add more text. Return the lines that are now finished."""
        *ended, self._pending = (self._pending + text).split("\n")
        for line in ended:
            self._line(self._shortened(line), last=True)
        self._pending = self._shortened(self._pending)
        self._tail = None
        done, self._blocks.out = self._blocks.out, []
        return done

    def tail(self) -> list[str]:
        """Draw the open block as if the text ended here."""
        if self._tail is None:
            blocks = self._blocks.fork()
            if self._pending and not _UNCLEAR.fullmatch(self._pending.strip()):
                _give(blocks, self._pending, self._long, last=True)
            blocks.finish()
            self._tail = blocks.out
        return list(self._tail)

    def finish(self) -> list[str]:
        """Return all remaining lines, because the text has ended."""
        if self._pending:
            self._line(self._pending, last=True)
        self._blocks.finish()
        done = self._blocks.out
        self._begin()
        return done

    def resize(self, width: int) -> None:
        """Set the width of later lines."""
        self._look = self._blocks.look = Look(max(NARROWEST, width), self._look.colour)
        self._tail = None

    def _shortened(self, line: str) -> str:
        """Give the rest of a line that was too long to wait for its end."""
        while len(line) > LONGEST:
            self._line(line[:LONGEST], last=False)
            line = line[LONGEST:]
        return line

    def _line(self, line: str, *, last: bool) -> None:
        _give(self._blocks, line, self._long, last=last)
        self._long = not last


def _give(blocks: Blocks, line: str, goes_on: bool, *, last: bool) -> None:
    text = harmless(line)
    if goes_on:
        blocks.more(text, last=last)
    elif last:
        blocks.line(text)
    else:
        blocks.begin(text)
