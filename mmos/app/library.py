"""The library of an app: looks up the tasks of runs and what models ask for, and records what was found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mmos import citing
from mmos.citing import Asked
from mmos.config.library_place import place_of
from mmos.config.library_schema import PatternRag, Rag
from mmos.config.load import Config
from mmos.context import Answer
from mmos.errors import UsageError
from mmos.library_events import PassagesFound
from mmos.participant.loop import Exchange
from mmos.scope import Scope

if TYPE_CHECKING:
    from mmos.fleet.fleet import Fleet
    from mmos.library.library import Library


@dataclass(frozen=True)
class Terms:
    """How one look-up is done."""

    collection: str
    top_k: int
    threshold: float
    rewriting: str = "none"


class Shelves:
    """The library as runs see it."""

    def __init__(self, config: Config, fleet: Fleet, state: Path | None) -> None:
        self._config, self._fleet, self._state = config, fleet, state

    @property
    def keys(self) -> Rag:
        return self._config.orchestration.rag

    @property
    def place(self) -> str:
        """Where the collections are. Empty: nowhere."""
        return place_of(self._config, self._state)

    @cached_property
    def library(self) -> Library:
        from mmos.app.embedding import embedder_of
        from mmos.library.library import Library

        if not self.place:
            raise UsageError(
                "This app has no state folder, so it has no library.", next_step="Open it with state=FOLDER, or set rag.store."
            )
        return Library(self.place, embedder=lambda model: embedder_of(self._fleet, self.keys, model))

    @cached_property
    def collections(self) -> list[str]:
        """The collections that there were when they were first asked for."""
        from mmos.library.store import names_in

        return names_in(self.place) if self.place else []

    @property
    def usual(self) -> str:
        """The collection that is meant when nobody names one."""
        return self.keys.collection or next(iter(self.collections), "")

    def terms(self, collection: str = "", keys: PatternRag | None = None) -> Terms:
        """How a collection is looked up: as the pattern says, then the collection, then `rag`."""
        name = collection or (keys.collection if keys else None) or self.usual
        if not name:
            raise UsageError("No collection is named, and there is none.", next_step="Add documents first: mmos rag add PATH -C NAME")
        found = self.keys.collections.get(name)
        layers = [one for one in (keys, found, self.keys) if one is not None]

        def value(key: str) -> object:
            return next((getattr(one, key) for one in layers if key in one.model_fields_set), getattr(self.keys, key))

        return Terms(name, int(str(value("top_k"))), float(str(value("similarity_threshold"))), str(value("query_rewriting")))

    async def look_up(self, scope: Scope, asked: Asked, terms: Terms | None = None) -> PassagesFound:
        from mmos.library.passages import Query

        terms = terms or self.terms(asked.collection)
        found = await self.library.search(terms.collection, Query(asked.query, terms.top_k, terms.threshold))
        return citing.record(scope, replace(asked, collection=terms.collection), found)


@dataclass(frozen=True)
class LookingUp:
    """Looks up the task of a run, before anybody answers it."""

    shelves: Shelves
    terms: Terms

    async def exchange(self, exchange: Exchange, go_on: Callable[[Exchange], Awaitable[Answer]]) -> Answer:
        scope = exchange.scope
        if not scope.depth and scope.lane not in scope.view.passages.by_place:
            task = exchange.scope.exchange.messages[0].content
            await self.shelves.look_up(scope, Asked(scope.lane, task, self.terms.collection), self.terms)
        return await go_on(exchange)
