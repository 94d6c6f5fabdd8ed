"""A real pseudo-terminal with a screen: the `mmos` command in it, what its user would see, and keys to press."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pyte

from tests import warm

PATIENCE = 30.0
ENTER, ALT_ENTER, CTRL_C, CTRL_D, TAB, UP = "\r", "\x1b\r", "\x03", "\x04", "\t", "\x1b[A"

JOINER = "\u200d".encode()
"""What joins two emoji into one: pyte drops the rest of a line after it."""


class Terminal:
    """The screen is what pyte makes of the bytes; nothing here waits for time to pass, only for what is shown."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process, columns: int, rows: int) -> None:
        self.raw = b""
        """Everything that was written."""
        self.process = process
        self._descriptor = descriptor
        self._screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._news = asyncio.Event()
        self._closed = False
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other side was closed
            data = b""
        if not data:
            self._closed = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self.raw += data
        self._stream.feed(data.replace(JOINER, b""))
        self._news.set()

    @property
    def lines(self) -> list[str]:
        """What was scrolled away, and what is on the screen."""
        gone = ["".join(line[column].data for column in range(self._screen.columns)) for line in self._screen.history.top]
        return [line.rstrip() for line in [*gone, *self._screen.display]]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    @property
    def seen(self) -> str:
        """What is on the screen now."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def colours(self) -> bool:
        """Whether any colour or weight is on the screen."""
        plain = pyte.screens.Char(" ")
        cells = [cell for row in self._screen.buffer.values() for cell in row.values()]
        return any((cell.fg, cell.bold, cell.italics) != (plain.fg, plain.bold, plain.italics) for cell in cells)

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def say(self, line: str) -> None:
        self.press(line + ENTER)

    def resize(self, columns: int, rows: int) -> None:
        _size(self._descriptor, columns, rows)
        self._screen.resize(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    async def until(self, told: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not told():
                    if self._closed:
                        raise TimeoutError
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"It is not there:\n{self.text}") from None

    async def shows(self, text: str, times: int = 1) -> None:
        """Wait until the text was shown; what was scrolled away counts."""
        await self.until(lambda: self.text.count(text) >= times)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


def _take_terminal() -> None:
    """In the child: its stdin becomes the terminal that Ctrl-C is pressed at, and whose end it hears of, even under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _size(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@asynccontextmanager
async def terminal(
    folder: Path, *args: str, columns: int = 80, rows: int = 40, cold: bool = False, **environ: str
) -> AsyncIterator[Terminal]:
    """`mmos ARGS` in a folder; what still runs at the end is ended. `cold`: in an interpreter of its own, whose process is the one known here."""
    ours, its = pty.openpty()
    _size(ours, columns, rows)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "OLLAMA_", "XDG_", "SSH_"))}
    known = {name: value for name, value in known.items() if name not in ("NO_COLOR", "EDITOR", "VISUAL", "DISPLAY", "WAYLAND_DISPLAY")}
    process = await asyncio.create_subprocess_exec(
        sys.executable if cold else warm.python(), "-m", "mmos", *args, stdin=its, stdout=its, stderr=its, cwd=folder, start_new_session=True,
        preexec_fn=_take_terminal,
        env={**known, "HOME": str(folder), "TERM": "xterm-256color", **environ},
    )  # fmt: skip
    os.close(its)
    at = Terminal(ours, process, columns, rows)
    try:
        yield at
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
