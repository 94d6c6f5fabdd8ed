#!/usr/bin/env python
"""Draws the pictures of docs/chat.md: `mmos chat` over the rehearsal fleet in a real terminal, its screen as SVG."""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyte

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
COLUMNS, ROWS = 100, 34
PATIENCE = 60.0
TASK = "Implement a binary search function in Python and say why it is correct."

CELL = (9.6, 20)
MARGIN = (14, 44)
COLOURS = {
    "default": "#d5d8de", "black": "#5c6370", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#ffffff",
}  # fmt: skip
DARK = "#1e2127"
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="16">
<title>{title}</title>
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
<circle cx="20" cy="18" r="6" fill="#e06c75"/><circle cx="40" cy="18" r="6" fill="#e5c07b"/><circle cx="60" cy="18" r="6" fill="#98c379"/>
<text x="50%" y="23" text-anchor="middle" font-size="13" fill="#9aa1ad">{title}</text>
<g xml:space="preserve" style="white-space: pre">
{runs}
</g>
</svg>
"""


class RunDisplay(pyte.Screen):
    """A screen that stores faint text as blinking text, because pyte has no faint text and MMOS never blinks."""

    def select_graphic_rendition(self, *attributes: int, **how: Any) -> None:
        known = {2: (5,), 22: (22, 25)}
        told = attributes if {38, 48} & set(attributes) else [code for given in attributes for code in known.get(given, (given,))]
        super().select_graphic_rendition(*told, **how)


class Terminal:
    """A command in a terminal: reads its screen and presses keys."""

    def __init__(self, descriptor: int) -> None:
        self.screen = RunDisplay(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._descriptor = descriptor

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def until(self, told: Callable[[str], bool], what: str) -> None:
        """Read until the screen shows it."""
        end = time.monotonic() + PATIENCE
        while not told(self.text):
            if not select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
                raise SystemExit(f"The chat never showed {what}:\n{self.text}")
            try:
                self._stream.feed(os.read(self._descriptor, 4096))
            except OSError:
                raise SystemExit(f"The chat ended before it showed {what}:\n{self.text}") from None

    def shows(self, *texts: str) -> None:
        self.until(lambda seen: all(text in seen for text in texts), " and ".join(texts))


@contextmanager
def chat(*options: str) -> Iterator[Terminal]:
    """`mmos chat` with the rehearsal fleet and its own home folder."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as home:
        known = {name: value for name, value in os.environ.items() if name != "NO_COLOR" and not name.startswith(("MMOS_", "XDG_"))}
        process = subprocess.Popen(
            [sys.executable, "-m", "mmos", "chat", "--rehearse", *options], stdin=its, stdout=its, stderr=its, cwd=home,
            env={**known, "HOME": home, "TERM": "xterm-256color"}, start_new_session=True,
        )  # fmt: skip
        os.close(its)
        try:
            yield Terminal(ours)
        finally:
            process.send_signal(signal.SIGTERM)
            with _drained(ours):
                process.wait(20)


@contextmanager
def _drained(descriptor: int) -> Iterator[None]:
    """Read what the command still writes, so that it can end."""
    try:
        while select.select([descriptor], [], [], 0.5)[0] and os.read(descriptor, 65536):
            pass
    except OSError:
        pass
    yield
    os.close(descriptor)


# ---------------------------------------------------------------- the pictures


def pictures() -> Iterator[tuple[str, str, RunDisplay]]:
    """The name, the title and the screen of each picture."""
    with chat("--time-scale", "4") as at:
        at.shows("/help")
        at.type(f"{TASK}\r")
        at.until(lambda seen: "✓ [1]" in seen and "✓ [2]" not in seen, "one specialist done and one at work")
        yield "chat-consulting", "mmos chat: who is consulted, on which host", at.screen
        at.until(lambda seen: "model calls ·" in seen, "the end of the answer")
        yield "chat-answer", "mmos chat: the answer, and what it took", at.screen
        at.type("/why\r")
        at.until(lambda seen: "tok/s" in seen.partition("› /why")[2] and seen.rstrip().endswith("›"), "why")
        yield "chat-why", "mmos chat: why this role, model and host", at.screen


def drawn(title: str, screen: RunDisplay) -> str:
    """The screen as SVG, without the empty rows at its end."""
    rows = max((row for row, line in enumerate(screen.display) if line.strip()), default=0) + 1
    runs = "\n".join(run for row in range(rows) for run in _runs(screen, row))
    width, height = COLUMNS * CELL[0] + 2 * MARGIN[0], rows * CELL[1] + MARGIN[1] + MARGIN[0]
    return FRAME.format(title=escape(title), width=width, height=height, runs=runs)


def _runs(screen: RunDisplay, row: int) -> Iterator[str]:
    """Neighbouring characters of the same style, as one text."""
    signs = [screen.buffer[row][column] for column in range(COLUMNS)]
    for look, cells in groupby(enumerate(signs), key=lambda cell: cell[1]._replace(data="")):
        run = list(cells)
        text = "".join(sign.data for _, sign in run)
        if look.bg != "default":
            left, top = MARGIN[0] + run[0][0] * CELL[0], MARGIN[1] + row * CELL[1]
            yield f'<rect x="{left:.1f}" y="{top}" width="{len(run) * CELL[0]:.1f}" height="{CELL[1]}" fill="{COLOURS.get(look.bg, "#5c6370")}"/>'
        if seen := text.strip():
            column = run[0][0] + len(text) - len(text.lstrip())
            place = f'x="{MARGIN[0] + column * CELL[0]:.1f}" y="{MARGIN[1] + (row + 0.7) * CELL[1]:.0f}"'
            yield f'<text {place} textLength="{len(seen) * CELL[0]:.1f}"{_style(look)}>{escape(seen)}</text>'


def _style(look: Any) -> str:
    on_colour = look.fg == "black" and look.bg != "default"
    fill = DARK if on_colour else COLOURS.get(look.fg, f"#{look.fg}" if re.fullmatch("[0-9a-f]{6}", look.fg) else COLOURS["default"])
    marks = [("underline", look.underscore), ("line-through", look.strikethrough)]
    told = [
        f'fill="{fill}"',
        'font-weight="bold"' if look.bold else "",
        'font-style="italic"' if look.italics else "",
        f'text-decoration="{" ".join(mark for mark, on in marks if on)}"' if any(on for _, on in marks) else "",
        'opacity="0.6"' if look.blink else "",
    ]
    return "".join(f" {part}" for part in told if part)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="DIR", help="the folder for the pictures. Default: docs/pictures")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, title, screen in pictures():
        path = given.out / f"{name}.svg"
        path.write_text(drawn(title, screen), encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
