"""Finds the past that a forked run or thread shares with another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmos.events import Entry, Forked, ThreadNamed
from mmos.journal.store import Query


def beginning(query: Query) -> Query | None:
    """Finds the first entry of a run or thread: it says whether there is a past elsewhere. None: the query is about no single run or thread."""
    return None if query.run is None and query.thread is None else Query(query.run, query.thread)


def past(query: Query, fork: Entry) -> Query | None:
    """The same query for the past. None: there is none, as far as the query goes."""
    event = fork.event
    # A stranger may have written it. A past ends before the fork, and the fork is in the part that the query is about: so no past comes twice.
    if not isinstance(event, Forked) or not event.until < fork.seq or (query.until is not None and fork.seq > query.until):
        return None
    if query.run is not None:
        return Query(event.origin, None, query.kinds, event.until) if event.origin else None
    # The name of the other thread is not the name of this one.
    return Query(None, event.origin_thread, query.kinds, event.until, without=ThreadNamed.kind)


def adopted(entries: Iterable[Entry], forks: Sequence[Entry]) -> list[Entry]:
    """Entries of a past as those of the fork. Other runs of the thread keep their ids. `forks`: the fork, the one that it was forked from, and so on."""
    names: dict[str, str] = {}
    for fork in forks:
        if isinstance(fork.event, Forked) and fork.event.origin:
            names[fork.event.origin] = names.get(fork.run, fork.run)
    return [Entry(names.get(entry.run, entry.run), forks[0].thread, entry.time, entry.event, entry.seq) for entry in entries]
