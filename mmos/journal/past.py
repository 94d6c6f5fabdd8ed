"""Finds the past that a forked run or thread shares with another one."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.events import Entry, Forked, ThreadNamed
from mmos.journal.store import Query


def beginning(query: Query) -> Query | None:
    """Finds the first entry of a run or thread: it says whether there is a past elsewhere. None: the query is about no single run or thread."""
    return None if query.run is None and query.thread is None else Query(query.run, query.thread)


def past(query: Query, fork: Entry) -> Query | None:
    """The same query for the past. None: there is none, as far as the query goes."""
    event = fork.event
    if not isinstance(event, Forked) or not event.until < fork.seq:  # a stranger may have written it
        return None
    until = event.until if query.until is None else min(query.until, event.until)
    if query.run is not None:
        return Query(event.origin, None, query.kinds, until) if event.origin else None
    return Query(None, event.origin_thread, query.kinds, until)


def adopted(entries: Iterable[Entry], fork: Entry) -> list[Entry]:
    """Entries of the past as those of the fork, which has no name yet. Other runs of the thread keep their ids."""
    origin = fork.event.origin if isinstance(fork.event, Forked) else ""
    return [
        Entry(fork.run if origin and entry.run == origin else entry.run, fork.thread, entry.time, entry.event, entry.seq)
        for entry in entries
        if not isinstance(entry.event, ThreadNamed)
    ]
