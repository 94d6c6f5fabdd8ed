"""Followers of a journal: each gets every committed entry once, in order, and is never waited for."""

from __future__ import annotations

import asyncio
from collections import deque

from mmos.events import Entry

_READY_AT_MOST = 1000


class Follower:
    """One who follows: what is ready for it, and whether there is more to be read."""

    def __init__(self, run: str | None, after: int) -> None:
        self.run = run
        self.place = after
        """Nothing up to this number is still to come, but for what is ready."""
        self.ready: deque[Entry] = deque()
        self._unkept: deque[Entry] = deque()
        """Entries without a number: they could not be written, and are heard after all that were."""
        self.behind = True
        """Entries may lie beyond the place that only the file can tell: older ones, another process's, or too many to keep."""
        self._news = asyncio.Event()

    def hear(self, entries: list[Entry]) -> None:
        """Entries of one commit: numbers in a row, of which the first ones may be known already."""
        self._unkept.extend(entry for entry in entries if not entry.seq and self.run in (None, entry.run))
        entries = [entry for entry in entries if entry.seq]
        if entries and not self.behind:
            if entries[0].seq > self.place + 1 or len(self.ready) > _READY_AT_MOST:
                self.behind = True
            else:
                self.take(entries, entries[-1].seq)
        self._news.set()

    def take(self, entries: list[Entry], until: int) -> None:
        place = self.place
        self.ready.extend(entry for entry in entries if entry.seq > place and self.run in (None, entry.run))
        self.place = max(place, until)

    def take_unkept(self) -> bool:
        """Make ready what could not be written; whether there was any."""
        found = bool(self._unkept)
        self.ready.extend(self._unkept)
        self._unkept.clear()
        return found

    def fall_behind(self) -> None:
        self.behind = True
        self._news.set()

    def wake(self) -> None:
        self._news.set()

    async def news(self) -> None:
        await self._news.wait()
        self._news.clear()
