"""Delivers entries to followers of a journal: each gets every committed entry once, in order. The journal never waits for a follower."""

from __future__ import annotations

import asyncio
from collections import deque

from mmos.events import Entry

_READY_AT_MOST = 1000


class Follower:
    """A follower, with its ready entries, and whether it must read more from the file."""

    def __init__(self, run: str | None, after: int) -> None:
        self.run = run
        self.place = after
        """The number of the last entry that is delivered or ready."""
        self.ready: deque[Entry] = deque()
        self._unkept: deque[Entry] = deque()
        """Entries that could not be written, so they have no number. They come after all written entries."""
        self.behind = True
        """Whether it must read from the file: older entries, entries of another process, or more than are kept."""
        self.reads = 0
        """How many reads are under way."""
        self._news = asyncio.Event()

    def hear(self, entries: list[Entry]) -> None:
        """Take the entries of one batch in their order. The first may be known already, and other processes may have written in between."""
        self._unkept.extend(entry for entry in entries if not entry.seq and self.run in (None, entry.run))
        entries = [entry for entry in entries if entry.seq]
        if entries and not self.behind:
            first, last = entries[0].seq, entries[-1].seq
            if first > self.place + 1 or last - first + 1 != len(entries) or len(self.ready) > _READY_AT_MOST:
                self.behind = True
            else:
                self.take(entries, last)
        self._news.set()

    def take(self, entries: list[Entry], until: int) -> None:
        place = self.place
        self.ready.extend(entry for entry in entries if entry.seq > place and self.run in (None, entry.run))
        self.place = max(place, until)

    def take_unkept(self) -> bool:
        """Make the entries ready that could not be written. Returns whether there were any."""
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
