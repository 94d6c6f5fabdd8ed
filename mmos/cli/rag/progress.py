"""Shows on stderr how far work on documents is: a bar that is drawn again at a terminal, and a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TextIO

import click

from mmos.cli.live_block import LiveBlock
from mmos.cli.output import draws, one_line, whole_seconds
from mmos.cli.styles import style
from mmos.cli.text import flat
from mmos.plurals import counted

EVERY = 30.0
"""Without a terminal, so many seconds lie between two lines."""
RECENT = 60.0
"""The rate is that of these last seconds."""
CELLS = 20
"""The length of the bar."""


@dataclass
class Progress:
    """How far a piece of work is."""

    noun: str
    """What is counted: file or piece."""
    doing: str
    """What is done before anything is counted, like `looking for files`."""
    err: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    every: float = EVERY
    done: int = 0
    total: int = 0
    """0: not known yet."""
    also: str = ""
    """What else there is to say, like the number of pieces."""
    now: str = ""
    """What is worked on."""
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    """Times, with what was done at these times."""

    def at(self, done: int, total: int, also: str = "", now: str = "") -> None:
        self.done, self.total, self.also, self.now = done, total, also, now

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Show it while the work inside goes on."""
        block = LiveBlock(self.err, self._lines)
        showing = asyncio.create_task(block.tick() if draws(self.err) else self._tell())
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            block.erase()

    async def _tell(self) -> None:
        self.line()
        while True:
            await asyncio.sleep(self.every)
            click.echo(f"mmos: {self.line()}", file=self.err)

    def _lines(self, width: int) -> list[str]:
        line = self.line()
        full = CELLS * self.done // self.total if self.total else 0
        bar = f"{'█' * full}{'░' * (CELLS - full)} " if self.total and width > 3 * CELLS else ""
        second = [style(one_line(flat(self.now), width), "dim")] if self.now else []
        return [one_line(bar + line, width), *second]

    def line(self) -> str:
        """How far it is, how fast, and how long it still takes."""
        now = self.clock()
        self._samples.append((now, self.done))
        while now - self._samples[0][0] > RECENT and len(self._samples) > 2:
            self._samples.popleft()
        if not self.total:
            return self.doing
        parts = [f"{self.done:,} of {counted(self.total, self.noun)}", *filter(None, [self.also])]
        seconds, done = now - self._samples[0][0], self.done - self._samples[0][1]
        if seconds > 0 and done > 0:
            parts.append(f"{_rate(done / seconds, self.noun)}, {whole_seconds((self.total - self.done) * seconds / done)} left")
        return ", ".join(parts)


def _rate(each_second: float, noun: str) -> str:
    if each_second >= 1:
        return f"{each_second:,.0f} {noun}s a second"
    return f"{60 * each_second:,.0f} {noun}s a minute"
