"""The one place that everything printed passes: styles of our own go out, and nothing from outside steers the terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, TextIO, cast

from mmos.cli.text import JOINERS, MOST_MARKS, harmless

_SECRET = int.from_bytes(os.urandom(8), "big")
_OURS = re.compile(rf"\x1b\[\?{_SECRET};([0-9;]*[A-Za-z])")


def sequence(code: str) -> str:
    """A sequence for the terminal, like `31m` or `2K`. It passes the guard, because nobody outside knows the number in it."""
    return f"\x1b[?{_SECRET};{code}"


RESET = sequence("0m")
ERASE_LINE = sequence("G") + sequence("2K")
"""The cursor goes to the first cell of its line, and the line is erased."""


def terminal_text(text: str) -> str:
    """What a terminal gets of a text: our own sequences as it knows them, all else without control signs."""
    parts = _OURS.split(text)
    parts[::2] = map(harmless, parts[::2])
    parts[1::2] = (f"\x1b[{code}" for code in parts[1::2])
    return "".join(parts)


def unstyled(text: str) -> str:
    """The text without our own sequences."""
    return _OURS.sub("", text)


class Guard:
    """A stream that cleans what is written to it, also where a sign that would pass alone does harm with what came before."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream
        self._terminal = stream.isatty()
        self._before = ""
        """The last signs that were written."""
        self._joiner = ""
        """A joiner that waits for what it joins."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)

    def write(self, text: str) -> int:
        parts = _OURS.split(text)
        parts[::2] = map(self._cleaned, parts[::2])
        parts[1::2] = (f"\x1b[{code}" if self._terminal else "" for code in parts[1::2])
        self.unguarded.write("".join(parts))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def write_unchanged(self, text: str) -> None:
        """An answer or a document: a file or a pipe gets it as it is."""
        if self._terminal:
            self.write(text)
        else:
            self.unguarded.write(text)

    def _cleaned(self, text: str) -> str:
        if not text:
            return ""
        if text.isascii():  # nothing of it belongs to what came before
            clean = harmless(text)
            self._before, self._joiner = clean[-1:], ""
            return clean
        clean = harmless(self._before + self._joiner + text)[len(self._before) :]
        self._joiner = clean[-1:] if clean[-1:] in JOINERS else ""
        clean = clean.removesuffix(self._joiner)
        self._before = (self._before + clean)[-MOST_MARKS - 1 :]
        return clean


def guarded(stream: TextIO) -> TextIO:
    return stream if isinstance(stream, Guard) else cast("TextIO", Guard(stream))
