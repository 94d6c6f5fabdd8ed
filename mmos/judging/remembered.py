"""Reads what earlier runs say of judges and of answers. Rehearsed runs tell real ones nothing: scripted models answered there."""

from __future__ import annotations

from mmos.event import Event
from mmos.events import Entry, RunStarted
from mmos.journal import Journal
from mmos.run_events import Forked

_BEGINNINGS = (RunStarted, Forked)
_REHEARSED = "true"
"""What the data of the beginning of a rehearsed run has: the journal looks closer only then."""


async def remembered(journal: Journal, *kinds: type[Event], rehearsed: bool) -> list[Entry]:
    """The entries of these kinds, of rehearsed runs or of all others."""
    entries = await journal.read(kinds=[kind.kind for kind in kinds])
    rehearsals = await _rehearsals(journal) if entries else set[str]()
    return [entry for entry in entries if (entry.run in rehearsals) is rehearsed]


async def _rehearsals(journal: Journal) -> set[str]:
    found = [await journal.runs_with(kind.kind, _REHEARSED, _is_rehearsed) for kind in _BEGINNINGS]
    return set[str]().union(*found)


def _is_rehearsed(event: Event) -> bool:
    return isinstance(event, _BEGINNINGS) and event.rehearsed
