"""Lines at the end of a terminal that are drawn anew while work goes on, and that leave nothing behind."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from mmos.cli.guard import ERASE_LINE, sequence

TICK = 0.2
"""Seconds between two drawings."""
MOST = 12
"""Lines at most. A terminal has few, and the rest would push the answer away."""


@dataclass
class LiveBlock:
    """The block of one terminal. Whoever prints something else erases it first."""

    stream: TextIO
    lines: Callable[[int], Sequence[str]]
    """The lines of now, in so many cells."""
    _drawn: int = 0

    async def tick(self) -> None:
        """Draw until cancelled."""
        while True:
            self.draw()
            await asyncio.sleep(TICK)

    def draw(self) -> None:
        size = shutil.get_terminal_size()
        lines = list(self.lines(size.columns - 1))[: max(1, min(MOST, size.lines - 2))]
        if not lines and not self._drawn:
            return
        self.erase()
        for line in lines:
            self.stream.write(f"{line}\n")
        self.stream.flush()
        self._drawn = len(lines)

    def erase(self) -> None:
        if self._drawn:
            self.stream.write((sequence("1A") + ERASE_LINE) * self._drawn)
            self.stream.flush()
            self._drawn = 0
