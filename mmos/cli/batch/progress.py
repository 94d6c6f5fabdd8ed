"""Shows on stderr how far a batch is: one line that is drawn again at a terminal, and a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import click

from mmos.app import Answer
from mmos.cli.guard import ERASE_LINE
from mmos.cli.output import draws, one_line, whole_seconds
from mmos.cli.progress import EVERY
from mmos.cli.styles import style
from mmos.cli.text import harmless
from mmos.fleet.fleet import Fleet
from mmos.plurals import counted

TICK = 0.5
"""Seconds between two drawings at a terminal."""
RECENT = 60.0
"""The rate is that of these last seconds."""


@dataclass
class Tally:
    """Counts the tasks of a batch."""

    total: int
    statuses: Counter[str] = field(default_factory=Counter)
    """Of all results, also those of an earlier command."""
    bad: int = 0
    """Lines without a task. Their status is failed."""
    earlier: int = 0
    """Results that an earlier command has written."""
    model_calls: int = 0
    """Of this command alone, as the tokens."""
    output_tokens: int = 0

    @property
    def done(self) -> int:
        return self.statuses.total()

    @property
    def missed(self) -> int:
        """Results without an answer."""
        return self.done - self.statuses["answered"]

    def add(self, answer: Answer, before: tuple[int, int]) -> None:
        """`before`: the model calls and the tokens that its run had before this command."""
        self.statuses[answer.status] += 1
        self.bad += not answer.run
        self.model_calls += max(0, answer.view.requests - before[0])
        self.output_tokens += max(0, answer.view.output_tokens - before[1])

    def add_bad(self) -> None:
        self.statuses["failed"] += 1
        self.bad += 1

    def words(self) -> str:
        """How many results there are, how many of them this command has added, and how many have which status."""
        count = f"{counted(self.done, 'result')}, {self.done - self.earlier:,} of them new" if self.earlier else counted(self.total, "task")
        return f"{count}: {self._statuses() or 'nothing to do'}"

    def _statuses(self) -> str:
        order = ("answered", "partial", "waiting", "failed", "cancelled")
        return ", ".join(f"{self.statuses[status]:,} {status}" for status in order if self.statuses[status])


@dataclass
class Progress:
    """Shows a tally while a batch runs."""

    tally: Tally
    fleet: Fleet
    shown: bool = True
    draws: bool = field(default_factory=lambda: draws(sys.stderr))
    clock: Callable[[], float] = time.monotonic
    _drawn: bool = False
    _samples: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=int(RECENT / TICK)))
    """Times, with the results and the tokens at these times."""

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Show the tally while the batch inside runs."""
        showing = asyncio.create_task(self._show()) if self.shown else None
        try:
            yield
        finally:
            if showing is not None:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
            self._erase()

    def say(self, text: str) -> None:
        """Print a line."""
        self._erase()
        click.echo(f"mmos: {harmless(text)}", err=True)

    async def _show(self) -> None:
        printed = self.clock()
        while True:
            now = self.clock()
            self._samples.append((now, self.tally.done, self.tally.output_tokens))
            if self.draws:
                self._draw(self.line())
            elif now - printed >= EVERY:
                printed = now
                self.say(self.line())
            await asyncio.sleep(TICK)

    def _draw(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(ERASE_LINE + style(one_line(line, width), "dim"))
        sys.stderr.flush()
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(ERASE_LINE)
            sys.stderr.flush()
            self._drawn = False

    def line(self) -> str:
        """How far the batch is, how fast it is, how long it still takes, and how many hosts work."""
        tally = self.tally
        parts = [f"{tally.done:,} of {counted(tally.total, 'task')}{f' ({tally.missed:,} without an answer)' if tally.missed else ''}"]
        if self._samples and (seconds := self._samples[-1][0] - self._samples[0][0]) > 0:
            rate = (self._samples[-1][1] - self._samples[0][1]) / seconds
            tokens = (self._samples[-1][2] - self._samples[0][2]) / seconds
            if rate > 0:
                parts.append(f"{60 * rate:,.0f} a minute, {tokens:,.0f} tokens a second")
                parts.append(f"{whole_seconds((tally.total - tally.done) / rate)} left")
        at_work = sum(seat.in_flight.total() > 0 for seat in self.fleet.seats)
        parts.append(f"{at_work} of {counted(len(self.fleet.seats), 'host')} at work")
        return ", ".join(parts)
