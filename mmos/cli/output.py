"""Prints JSON documents, formats times and sizes, removes control characters, and asks for confirmation."""

from __future__ import annotations

import datetime
import json
import os
import sys
from typing import Any, TextIO

import orjson

from mmos.cli.guard import Guard
from mmos.cli.text import escaped, harmless


def print_json(document: Any) -> None:
    """Print one JSON document."""
    write_json(_as_json(document, orjson.OPT_INDENT_2))
    sys.stdout.flush()


def print_json_line(document: Any) -> None:
    write_json(_as_json(document, 0))


def _as_json(document: Any, options: int) -> str:
    try:
        return orjson.dumps(document, option=options | orjson.OPT_APPEND_NEWLINE).decode()
    except TypeError:  # a half character, as the name of a file may have
        text = json.dumps(document, ensure_ascii=False, indent=2 if options else None)
        return text.encode(errors="replace").decode() + "\n"


def write_json(text: str) -> None:
    """JSON on stdout. At a terminal what would steer it is escaped, which means the same."""
    write_unchanged(escaped(text) if sys.stdout.isatty() else text)


def write_unchanged(text: str, stream: TextIO | None = None) -> None:
    """An answer or a document: a file or a pipe gets it as it is, a terminal without control signs."""
    stream = stream or sys.stdout
    if isinstance(stream, Guard):
        stream.write_unchanged(text)
    else:
        stream.write(harmless(text) if stream.isatty() else text)


def has_no_reader(stream: TextIO) -> bool:
    """Whether the other end of the pipe is closed. Writing would show that too, but there may be nothing to write."""
    import select

    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def one_line(text: str, width: int) -> str:
    flat = " ".join(harmless(text).split())
    return flat if len(flat) <= width else flat[: max(1, width - 1)] + "…"


def draws(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can redraw a line."""
    return stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")


def when(seconds: float) -> str:
    """Format a time in this machine's time zone."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def how_long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def whole_seconds(seconds: float) -> str:
    return how_long(round(seconds)).replace(".0 s", " s")


def how_much(size: float) -> str:
    """Format a number of bytes."""
    for unit in ("bytes", "kB", "MB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
