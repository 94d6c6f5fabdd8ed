"""How things are printed: JSON documents, tables that fit the terminal, times and texts that people can read."""

from __future__ import annotations

import datetime
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click
import orjson


def print_json(document: Any) -> None:
    """One document, alone on stdout."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()


def print_json_line(document: Any) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE).decode())


_STEERING = ("Cc", "Cf", "Cs")
"""Kinds of signs that act and are not seen: escapes, changes of direction, half characters."""

_WANTED = "\n\t\u200c\u200d"
"""Line break, tab, and the joiners that emoji and some scripts are made with."""


def harmless(text: str) -> str:
    """The text without control signs: what a model writes must not steer the terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign for sign in text if sign in _WANTED or unicodedata.category(sign) not in _STEERING)


def one_line(text: str, width: int) -> str:
    flat = " ".join(harmless(text).split())
    return flat if len(flat) <= width else flat[: max(1, width - 1)] + "…"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns side by side; the last one takes what is left of the terminal's width, or all it needs in a pipe."""
    listed = [list(heads), *([" ".join(harmless(str(cell)).split()) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in listed) for column in range(len(heads) - 1)]
    room = shutil.get_terminal_size((100, 24)).columns - sum(widths) - 2 * len(widths) if sys.stdout.isatty() else 10_000
    for row in listed:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, one_line(row[-1], max(20, room))]).rstrip())


def confirm(question: str, *, yes: bool) -> None:
    """What cannot be undone is done when somebody says so: at a terminal, or by --yes."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("This cannot be undone, and nobody is there to be asked: say --yes.")
    click.confirm(question, abort=True, err=True)


def when(seconds: float) -> str:
    """A time as people of this machine's place write it."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def how_long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
