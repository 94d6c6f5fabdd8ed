"""Reads from the journal which mistakes models made lately, once for an app, so that prompts stay the same within a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mmos.app.routing import Routed
from mmos.events import Entry, ModelAsked, RunStarted
from mmos.journal import Journal
from mmos.prompting.mistakes import KINDS, MOST_FOUND, Mistakes
from mmos.prompting.templates import Templates

Found = Mapping[str, tuple[str, ...]]


class Remembering:
    """Adds the mistakes of models to the options of a new run. The run keeps them: when it is resumed or replayed, its prompts are the same."""

    def __init__(self, journal: Journal, templates: Templates, *, wanted: bool, rehearsed: bool) -> None:
        self._journal, self._templates, self._wanted, self._rehearsed = journal, templates, wanted, rehearsed
        self._found: Found | None = None

    async def added(self, routed: Routed, thread: str) -> Routed:
        """`thread`: the id of the conversation that the run goes on with. What its first run was told holds for all. Empty: it begins one."""
        if not self._wanted or routed.options.mistakes is not None or routed.options.is_model_alone:
            return routed
        mistakes = await self._of_thread(thread) if thread else None
        if mistakes is None:
            mistakes = await self._lately()
        if not mistakes:
            return routed
        options, given = (replace(one, mistakes=mistakes) for one in (routed.options, routed.given))
        return replace(routed, options=options, given=given)

    async def _of_thread(self, thread: str) -> Found | None:
        """None: the conversation has no run yet."""
        for entry in await self._journal.read(thread=thread, kinds=(RunStarted.kind,), limit=1):
            if isinstance(entry.event, RunStarted):
                return _usable(entry.event.options.get("mistakes"))
        return None

    async def _lately(self) -> Found:
        if self._found is None:
            self._found = await self._read()
        return self._found

    async def _read(self) -> Found:
        """Only the newest events count: models and prompts change."""
        found = [entry for kind, words in KINDS.items() for entry in await self._newest(kind, words)]
        known = Mistakes(self._templates) if found else None
        entries = [entry for entry in found if known and known.kind_of(entry)][:MOST_FOUND]
        asked = [one for run in dict.fromkeys(entry.run for entry in entries) for one in await self._asked(run)]
        return known.by_model(entries, asked) if known else {}

    async def _asked(self, run: str) -> list[Entry]:
        """The requests of a run. Scripted models say nothing about real ones, and the other way round."""
        entries = await self._journal.read(run=run, kinds=(RunStarted.kind, ModelAsked.kind))
        kinds = {entry.event.rehearsed for entry in entries if isinstance(entry.event, RunStarted)}
        return entries if kinds == {self._rehearsed} else []

    async def _newest(self, kind: str, words: Sequence[str]) -> list[Entry]:
        async for page, _ in self._journal.search((kind,), lambda data: any(word in data for word in words)):
            return page
        return []


def _usable(found: object) -> Found:
    """The mistakes in a run that may be a stranger's."""
    kept = found.items() if isinstance(found, dict) else ()
    return {
        model: tuple(kind for kind in kinds if isinstance(kind, str) and kind)
        for model, kinds in kept
        if model and isinstance(kinds, list | tuple)
    }
