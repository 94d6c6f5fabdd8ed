"""The library of an app: looks up the tasks of runs and what models ask for, and records what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mmos import citing
from mmos.citing import Asked
from mmos.config.library_place import place_of
from mmos.config.library_schema import PatternRag, Rag
from mmos.config.load import Config
from mmos.config.wording import perhaps
from mmos.context import Answer, Context
from mmos.errors import NotFound, UsageError, UserError
from mmos.journal import Journal
from mmos.library.locking import is_address
from mmos.library_events import PassagesFound
from mmos.participant.loop import Exchange
from mmos.prompting.templates import Templates
from mmos.scope import Scope

if TYPE_CHECKING:
    from mmos.fleet.fleet import Fleet
    from mmos.library.library import Library
    from mmos.library.passages import Passage

RUNS = "runs"
"""The collection of earlier runs."""
LONGEST = 2_000
"""The most characters that are looked up. The time grows with them, and a long task is mostly material."""
SECONDS = 20.0
"""How long a look-up may take."""


@dataclass(frozen=True)
class Terms:
    """How one look-up is done."""

    collection: str
    top_k: int
    threshold: float
    rewriting: str = "none"


class Shelves:
    """The library as runs see it."""

    def __init__(self, config: Config, fleet: Fleet, journal: Journal, templates: Templates) -> None:
        self._config, self._fleet, self._journal, self._templates = config, fleet, journal, templates

    @property
    def keys(self) -> Rag:
        return self._config.orchestration.rag

    @property
    def place(self) -> str:
        """Where the collections are. Empty: nowhere."""
        return place_of(self._config, self._journal.folder)

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

        return [name for name in names_in(self.place) if name != RUNS] if self.place else []

    @property
    def offered(self) -> list[str]:
        """The collections that models may search."""
        return [*self.collections, *([RUNS] if self.keys.runs and self._journal.folder is not None else [])]

    @property
    def usual(self) -> str:
        """The collection that is meant when nobody names one."""
        return self.keys.collection or next(iter(self.offered), "")

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

    async def look_up(self, context: Context, asked: Asked, terms: Terms | None = None) -> PassagesFound:
        """Look a question up, and record what was found. Raises `UserError` if the library cannot be read, and `TimeoutError` if that takes too long."""
        from mmos.app.rewording import reworded

        terms, start = terms or self.terms(asked.collection), context.scope.clock()
        asked = replace(asked, query=_question(asked.query))
        others = await reworded(context, self._config, asked.query, terms.rewriting, self._templates)
        async with asyncio.timeout(SECONDS):
            found = await self._search(terms, asked.query, others)
        asked = replace(asked, collection=terms.collection)
        return citing.record(context.scope, asked, found, others, seconds=context.scope.clock() - start)

    async def _search(self, terms: Terms, question: str, others: tuple[str, ...]) -> list[Passage]:
        from mmos.library.passages import Query

        query = Query(question, terms.top_k, terms.threshold, others=others)
        if terms.collection != RUNS:
            return await self.library.search(terms.collection, query)
        from mmos.app.archive import Archive

        if not self.keys.runs or self._journal.folder is None:
            raise UsageError("Models may not look into earlier runs.", next_step="To allow it, write rag.runs: true in the configuration.")
        return await Archive(self._journal, self._journal.folder).search(query)

    def check(self, terms: Terms) -> None:
        """Raise if a collection is not there, before a run begins."""
        names = self.collections
        if terms.collection not in names and terms.collection != RUNS and not is_address(self.place):
            raise NotFound(
                f"There is no collection {terms.collection!r}{perhaps(terms.collection, names) or '.'}",
                next_step=f"Collections: {', '.join(names)}." if names else f"Add documents: mmos rag add PATH -C {terms.collection}",
            )


def _question(text: str) -> str:
    """The text, or the beginning and the end of one that is too long. People ask at either end."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}\n{text[-half:]}"


@dataclass(frozen=True)
class LookingUp:
    """Looks up the task of a run, before anybody answers it."""

    shelves: Shelves
    terms: Terms

    async def exchange(self, exchange: Exchange, go_on: Callable[[Exchange], Awaitable[Answer]]) -> Answer:
        scope = exchange.scope
        if not scope.depth and scope.lane not in scope.view.passages.by_place:
            context = Context(scope, exchange.room, "library")
            asked = Asked(scope.lane, scope.exchange.messages[0].content, self.terms.collection)
            try:
                await self.shelves.look_up(context, asked, self.terms)
            except (UserError, TimeoutError) as error:
                without(scope, asked, error, "The answer")
        return await go_on(exchange)


def without(scope: Scope, asked: Asked, error: UserError | TimeoutError, who: str) -> None:
    """Go on without passages, and say why."""
    why = error.message if isinstance(error, UserError) else f"The library did not answer within {SECONDS:g} s."
    scope.warn(f"{who} is without passages of the library. {why} {error.next_step if isinstance(error, UserError) else ''}".strip())
    citing.record(scope, asked, (), why=why)
