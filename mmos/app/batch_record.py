"""Keeps in the journal which run each line of a batch has, so that a batch goes on after a crash and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from mmos.events import BatchStarted, BatchTask, BatchWritten
from mmos.journal import Journal, new_id

PAGE = 500


class BatchRecord:
    """The runs of one batch. A batch is known by the file of its results."""

    def __init__(self, journal: Journal, batch: str, *, is_new: bool, has_written: bool = False) -> None:
        self.batch = batch
        """The id of the thread in which the journal keeps it."""
        self.is_new = is_new
        self.has_written = has_written
        """Whether its file has had a result."""
        self._journal = journal
        self._runs: dict[str, dict[int, str]] = {}
        """For each digest, the runs by their lines."""

    @classmethod
    async def of(cls, journal: Journal, out: str, *, anew: bool, empty: bool = False) -> Self:
        """The newest batch with these results. `anew`: a new one in any case. `empty`: a new one, unless the newest one has written none."""
        known = [] if anew else await journal.read(kinds=(BatchStarted.kind,))
        batches = [entry.thread for entry in known if isinstance(entry.event, BatchStarted) and entry.event.out == out]
        if batches:
            has_written = bool(await journal.read(thread=batches[-1], kinds=(BatchWritten.kind,), limit=1))
            if not (empty and has_written):
                return cls(journal, batches[-1], is_new=False, has_written=has_written)
        record = cls(journal, new_id(), is_new=True)
        journal.append("", record.batch, BatchStarted(out))
        await journal.durable()
        return record

    async def recall(self, wanted: Callable[[BatchTask], bool]) -> None:
        """Read which lines have begun. `wanted` says whether a run is still of use: only these are kept in memory."""
        after = 0
        while entries := await self._journal.read(thread=self.batch, kinds=(BatchTask.kind,), after=after, limit=PAGE):
            for entry in entries:
                if isinstance(entry.event, BatchTask) and wanted(entry.event):
                    self._runs.setdefault(entry.event.digest, {})[entry.event.line] = entry.event.run
            after = entries[-1].seq

    def take(self, line: int, digest: str) -> str:
        """The run that a line has begun; empty if it has none. The run of another line with the same text will do if the line has moved."""
        runs = self._runs.get(digest)
        if not runs:
            return ""
        run = runs.pop(line if line in runs else min(runs))
        if not runs:
            del self._runs[digest]
        return run

    def begins(self, run: str, line: int, digest: str) -> None:
        """A line gets a run. Call it before the run itself is kept."""
        self._journal.append("", self.batch, BatchTask(run, line, digest))

    def writes(self) -> None:
        """The first result is on the disk."""
        self.has_written = True
        self._journal.append("", self.batch, BatchWritten())
