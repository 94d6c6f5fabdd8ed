"""Cancels runs on request, and passes on what the user writes to models that talk, also on the request of another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mmos.errors import StateError, UsageError
from mmos.events import CancelRequested, Entry, Event, Reason, RunFinished
from mmos.journal import Journal
from mmos.logs import logger
from mmos.scope import Scope
from mmos.talk_events import TalkSteered
from mmos.views.conversation import Conversation
from mmos.views.listing import RUN_KINDS, at_work
from mmos.views.run import RunView
from mmos.views.so_far import text_so_far

LOOK_EVERY = 0.5
"""Seconds between two looks for requests. One look costs 0.2 ms."""

MOST_EARLY = 64
"""So many requests are kept for runs whose work has not begun."""

_log = logger("mmos.run")


def cancelled(view: RunView, text: str | None) -> RunFinished:
    """The end of a cancelled run. It keeps the text so far."""
    request = view.cancel_request
    message = f"{request.by} cancelled the run." if request and request.by else "The run was cancelled."
    return RunFinished("cancelled", text, Reason("cancelled", message, f"mmos runs show {view.run}"))


async def request(journal: Journal, run: str, by: str) -> Entry | None:
    """Ask the process that works on this run to cancel it. If nobody works on it, record its end.

    Returns the new entry: `CancelRequested` or `RunFinished`. None if the run was cancelled before. Raises `UsageError` for a run with an answer.
    """
    entries = await journal.read(run=run)
    before = RunView.of(entries)
    text = before.answer or text_so_far(before, Conversation(entries))

    def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
        view = RunView.of(entries)
        if view.status in ("answered", "partial"):
            what = "was answered" if view.status == "answered" else "ended with a part of an answer"
            raise UsageError(f"Run {run} {what} before. There is nothing to cancel.", next_step=f"See mmos runs show {run}.")
        if view.status == "cancelled" or not entries:
            return []
        asked = CancelRequested(by)
        if at_work(view, journal.alive):
            return [(run, before.thread, asked)]
        view.cancel_request = asked
        return [(run, before.thread, cancelled(view, text))]

    written = await journal.decide(RUN_KINDS, choose, run=run)
    return written[0] if written else None


@dataclass(eq=False)
class _AtWork:
    """A run at work, and how to stop it."""

    scope: Scope
    since: int
    """Requests before this entry were for an earlier attempt."""
    stop: asyncio.Timeout
    asked: bool = False


class Cancelling:
    """Looks for requests to cancel while runs are at work, and stops those runs."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._at_work: dict[str, _AtWork] = {}
        self._early: dict[str, Entry] = {}
        """Requests of this app for runs whose work has not begun."""
        self._seen = 0
        """No request up to this entry is for a run at work."""
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def heeded(self, scope: Scope, since: int) -> AsyncIterator[None]:
        """Do the work of a run inside. A request cancels the work, and not the caller, who goes on behind it."""
        stop = asyncio.timeout(None)
        try:
            async with stop:
                self._begin(_AtWork(scope, since, stop))
                try:
                    yield
                finally:
                    self._end(scope.run)
        except TimeoutError:
            if not stop.expired():
                raise

    def heed(self, entry: Entry) -> None:
        """Stop the run that this request names, or let it read a text, if this app works on it."""
        run = self._at_work.get(entry.run)
        if isinstance(entry.event, TalkSteered):  # a run that is resumed later reads it in the journal
            if run is not None and entry.seq > run.since:
                run.scope.view.apply(entry)
            return
        if run is None:
            self._early[entry.run] = entry
            if len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]
            return
        if run.asked or entry.seq <= run.since or not isinstance(entry.event, CancelRequested):
            return
        run.asked = True
        run.scope.view.apply(entry)
        run.stop.reschedule(asyncio.get_running_loop().time())

    def _begin(self, run: _AtWork) -> None:
        self._seen = min(self._seen, run.since) if self._at_work else run.since
        self._at_work[run.scope.run] = run
        if (early := self._early.pop(run.scope.run, None)) is not None:
            self.heed(early)
        if self._looking is None and self._journal.shared:
            self._looking = asyncio.create_task(self._look())

    def _end(self, run: str) -> None:
        del self._at_work[run]
        if not self._at_work and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                requests = await self._journal.read(kinds=(CancelRequested.kind, TalkSteered.kind), after=self._seen)
            except StateError as error:  # the run goes on; its own writes will say what is wrong
                _log.warning("cancel_requests_unread", code=error.code)
                continue
            for entry in requests:
                self._seen = max(self._seen, entry.seq)
                self.heed(entry)
