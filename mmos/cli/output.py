"""How things are printed: JSON documents, times and texts that people can read, and questions to them."""

from __future__ import annotations

import datetime
import os
import signal
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click
import orjson


def print_json(document: Any) -> None:
    """One document, alone on stdout."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()


def print_json_line(document: Any) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE).decode())


def has_no_reader(stream: TextIO) -> bool:
    """Whether nobody will ever read what is written there: the other end of the pipe is closed. Writing shows it too, if there is something to write."""
    import select

    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


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


def draws(stream: TextIO) -> bool:
    """Whether a line there can be drawn anew: it is a terminal, and one that can."""
    return stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")


def confirm(question: str, *, yes: bool, unasked: str = "This cannot be undone, and nobody is there to be asked: say --yes.") -> None:
    """What cannot be undone is done when somebody says so: at a terminal, or by --yes; `unasked` tells that nobody could."""
    if not agreed(question, yes=yes, unasked=unasked):
        raise click.Abort


def agreed(question: str, *, yes: bool, unasked: str) -> bool:
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(unasked)
    with _interruptible():
        return click.confirm(question, err=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Inside an event loop a signal waits until the loop goes on; a question that waits for a line must not keep it waiting."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def when(seconds: float) -> str:
    """A time as people of this machine's place write it."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def how_long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def how_much(size: float) -> str:
    """Bytes as people count them."""
    for unit in ("bytes", "kB", "MB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
