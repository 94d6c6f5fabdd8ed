"""Looks the task of a pattern up in the library, once for all of its members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from mmos.app.library import Terms, without
from mmos.citing import Asked
from mmos.config.library_schema import PatternRag
from mmos.context import Context
from mmos.errors import UserError
from mmos.library_events import PassagesFound
from mmos.scope import Scope
from mmos.views.patterns import PATTERN


class Readable(Protocol):
    """The library as a pattern sees it."""

    def terms(self, collection: str = "", keys: PatternRag | None = None) -> Terms: ...
    async def look_up(self, context: Context, asked: Asked, terms: Terms | None = None) -> PassagesFound: ...


@dataclass(frozen=True)
class PatternLookUp:
    """Finds passages for the members of one pattern, as its key `rag` says."""

    shelves: Readable
    keys: PatternRag
    name: str

    async def __call__(self, context: Context, pattern: str, task: str) -> None:
        """Record what was found. A pattern that cannot be given passages goes on without them."""
        scope, asked = context.scope, Asked(pattern, task, self.keys.collection or "", "pattern")
        if scope.view.options.get("rag") is False or self._has_them(scope, pattern):
            return
        try:
            await self.shelves.look_up(context, asked, self.shelves.terms(keys=self.keys))
        except (UserError, TimeoutError) as error:
            without(scope, asked, error, f"The pattern {self.name}")

    @staticmethod
    def _has_them(scope: Scope, pattern: str) -> bool:
        """Whether the task of the run was looked up with the values of this pattern, because the user asked for it."""
        return pattern == f"{scope.lane}/{PATTERN}" and scope.lane in scope.view.passages.by_place


def terms_of_run(shelves: Readable, keys: PatternRag | None, collection: str, top_k: int | None) -> Terms:
    """How the task of a run is looked up: as the pattern that answers it says, except for what the run says."""
    terms = shelves.terms(collection, keys)
    return replace(terms, top_k=top_k or terms.top_k)
