"""Puts the results of a batch into the order of their lines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from mmos.cli.batch.lines import Line

AHEAD = 10_000
"""So many lines beyond the first one without a result may begin. A slow task holds back no more results."""
HELD = 8 << 20
"""The bytes of results that wait in memory for their turn. Others are read from the journal when it comes."""


class Order:
    """Takes results as they come, and writes them in the order in which their lines began."""

    def __init__(self, write: Callable[[bytes], None], read: Callable[[Line, str], Awaitable[bytes]], *, ordered: bool = True) -> None:
        self._write = write
        self._read = read
        """Makes the result of a line from the journal, by its run."""
        self._ordered = ordered
        self._lines: deque[int] = deque()
        """The lines that have begun and are not written, in their order."""
        self._results: dict[int, bytes | tuple[Line, str]] = {}
        """What waits for its turn: a result, or its line and its run."""
        self._held = 0
        self._writing = asyncio.Lock()
        self._moved = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Results that are not written yet."""
        return len(self._results)

    async def begins(self, line: Line) -> None:
        """The next line begins, as soon as it is not too far ahead."""
        while len(self._lines) >= AHEAD:
            self._moved.clear()
            await self._moved.wait()
        if self._ordered:
            self._lines.append(line.number)

    async def ends(self, line: Line, result: bytes, run: str = "") -> None:
        """A line has a result. `run`: the run that it can be read from."""
        if not self._ordered:
            self._write(result)
            return
        async with self._writing:
            if run and self._lines[0] != line.number and self._held + len(result) > HELD:
                self._results[line.number] = (line, run)
            else:
                self._results[line.number] = result
                self._held += len(result)
            while self._lines and self._lines[0] in self._results:
                await self._write_first()
        self._moved.set()

    async def _write_first(self) -> None:
        waiting = self._results[self._lines[0]]
        if isinstance(waiting, bytes):
            self._held -= len(waiting)
            self._write(waiting)
        else:
            self._write(await self._read(*waiting))
        del self._results[self._lines.popleft()]
