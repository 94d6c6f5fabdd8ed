"""The library: adds documents to collections, finds passages in them, and shows and deletes what is there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from mmos.errors import NotFound, StateDamaged, UsageError
from mmos.library.centring import FARTHEST, around_of, span
from mmos.library.counting import Counting, frequencies_of
from mmos.library.embedding.minilm import NAME, MiniLm
from mmos.library.embedding.vectors import EMBEDDING, Embedded, EmbedStep, Pinned, Vectors, blended, pinned, weight_in
from mmos.library.frequencies import Frequencies
from mmos.library.ingest import Added, Ingest, Source, Step, absolute, remove, to_end
from mmos.library.locking import writing
from mmos.library.passages import Embedder, Passage, Query
from mmos.library.ranking import rank
from mmos.library.rows import Kept, Row, indexed
from mmos.library.store import Shelf, Store, checked, names_in
from mmos.threads import on_thread

__all__ = ["About", "Added", "EmbedStep", "Embedded", "Library", "Step", "local"]

CANDIDATES = 50
"""Pieces that are ranked."""
VECTOR_CANDIDATES = 100
"""So many of them if there are vectors, which bring up what has few words of the question."""
OTHERS = 0.5
"""What the question in other words counts beside the question itself."""
SPARE = 2
"""So many times as many pieces as are wanted are looked at, because some of their passages may be the same."""
_SAME = 0.5
"""Two passages of a source that share more than this part are one."""


@dataclass(frozen=True)
class About:
    """A collection as a whole."""

    name: str
    sources: int = 0
    pieces: int = 0
    bytes: int = 0
    """Of the sources."""
    changed: float = 0.0
    """When a source was added last, in seconds since 1970."""
    embedding: Mapping[str, Any] = field(default_factory=dict)
    """The model of its vectors. Empty: it has none."""


@dataclass
class _Open:
    """A collection that stays open."""

    shelf: Shelf
    version: tuple[int, int] = (-1, -1)
    frequencies: Frequencies = field(default_factory=Frequencies)
    embedding: Pinned | None = None


@cache
def local(model: str) -> Embedder | None:
    """The small model that runs in this process. It is loaded once."""
    return MiniLm() if model == NAME else None


class Library:
    """The documents of a user, in collections.

    Example::

        library = mmos.library.Library(".mmos/library")
        await library.add("notes", mmos.library.find(["docs"]))
        for passage in await library.search("notes", Query("How long does a host have to answer?")):
            print(passage.source, passage.start, passage.score)
    """

    def __init__(
        self,
        place: str | Path,
        *,
        embedder: Callable[[str], Embedder | None] = local,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open a library.

        Args:
            place: A folder, or the address of an object store.
            embedder: Gives what makes vectors, for the name of a model. Default: only the small model that runs in this process.
            on_trouble: Called with what keeps vectors from being used. Words alone are searched then.
        """
        self.place = str(place)
        self._store = Store(self.place)
        self._vectors = Vectors(self._store, embedder, on_trouble)
        self._open: dict[str, _Open] = {}

    def names(self) -> list[str]:
        return names_in(self.place)

    def close(self) -> None:
        """Close the files of the collections. The next search opens them again."""
        self._open.clear()
        self._store = Store(self.place)

    async def _shelf(self, collection: str) -> Shelf:
        return (await self._opened(collection)).shelf

    async def _opened(self, collection: str) -> _Open:
        if collection not in self._open:
            if collection not in await self._store.names():
                raise _no_collection(collection)
            self._open[collection] = _Open(await self._store.open(collection))
        return self._open[collection]

    # ---------------------------------------------------------------- adding

    async def add(
        self,
        collection: str,
        sources: Iterable[Source],
        *,
        folders: Iterable[str | Path] = (),
        on_step: Callable[[Step], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Added:
        """Add files or documents. A source that has not changed is left as it is. One that is no longer in an added folder is deleted.

        `folders`: those that were looked through. It need not name folders in which a file was found.
        `on_wait`: called once if another process writes the collection.
        """
        async with self._writing(collection, on_wait):
            new = collection not in await self._store.names()
            shelf = await self._store.make(collection)
            ingest = Ingest(shelf, await Counting.of(shelf), on_step, {*map(absolute, folders)})
            try:
                return await ingest.add(sources)
            finally:
                if new and not ingest.added.sources:
                    await to_end(self._store.drop(collection))

    async def embed(
        self,
        collection: str,
        model: str = "",
        *,
        anew: bool = False,
        on_step: Callable[[EmbedStep], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Embedded:
        """Make the vectors of a collection that are missing. What is made is kept, also if this is stopped.

        Args:
            collection: Its name.
            model: The embedding model. Default: that of the collection.
            anew: Forget all vectors first, as another model or another version of it needs.
            on_step: Called with how far it is.
            on_wait: Called once if another process writes the collection.
        """
        async with self._writing(collection, on_wait):
            shelf = await self._shelf(collection)
            known = await pinned(shelf)
            model = model or (known.model if known else "")
            if not model:
                raise UsageError(
                    f"The collection {collection} has no embedding model.", next_step=f"Name one: mmos rag reembed MODEL -C {collection}"
                )
            if known is not None and known.model != model and not anew:
                raise UsageError(
                    f"The collection {collection} has vectors of {known.model}, not of {model}.",
                    next_step=f"To replace them: mmos rag reembed {model} -C {collection}",
                )
            if anew:
                await self._vectors.forget(shelf)
            return await self._vectors.fill(shelf, model, on_step)

    # ---------------------------------------------------------------- finding

    async def search(self, collection: str, query: Query) -> list[Passage]:
        """The passages that fit a question, the best first."""
        try:
            return await self._search(await self._opened(collection), query)
        except StateDamaged:
            self._open.pop(collection, None)
            if collection not in await self._store.names():  # another process deleted it
                raise _no_collection(collection) from None
            return await self._search(await self._opened(collection), query)

    async def _search(self, opened: _Open, query: Query) -> list[Passage]:
        await self._refresh(opened)
        count, frequencies = VECTOR_CANDIDATES if weight_in(opened.embedding, query) else CANDIDATES, opened.frequencies
        rows = await opened.shelf.candidates(query.text, query.where, count)
        for other in query.others:
            there = {row.id for row in rows}
            rows += [row for row in await opened.shelf.candidates(other, query.where, CANDIDATES // 2) if row.id not in there]
        if not rows:
            return []
        texts = [indexed(row.title, row.path) + row.text for row in rows]
        scores: Sequence[float] = await on_thread(rank, query.text, texts, frequencies)
        if query.others:
            told = [await on_thread(rank, other, texts, frequencies) for other in query.others]
            scores = blended(scores, [fmean(one) for one in zip(*told, strict=True)], OTHERS)
        scores = await self._vectors.add_to(opened.shelf, opened.embedding, query, rows, scores)
        ranked = sorted(zip(scores, rows, strict=True), key=lambda pair: -pair[0])
        if ranked[0][0] < query.threshold:
            return []
        some = ranked[: SPARE * query.top_k]
        near = await opened.shelf.near([row for _, row in some], FARTHEST)
        passages: list[Passage] = await on_thread(_passages, opened.shelf.name, query, some, near, frequencies)
        return passages

    async def _refresh(self, opened: _Open) -> None:
        """Read what is known of the collection, if it has changed."""
        version = await opened.shelf.version()
        if version != opened.version:
            opened.frequencies, opened.embedding = await frequencies_of(opened.shelf), await pinned(opened.shelf)
            opened.version = version

    # ---------------------------------------------------------------- what is there

    async def about(self, collection: str) -> About:
        shelf = await self._shelf(collection)
        kept, embedding = (await shelf.sources()).values(), await shelf.get(EMBEDDING)
        return About(
            collection,
            len(kept),
            await shelf.count(),
            sum(one.size for one in kept),
            max((one.added for one in kept), default=0.0),
            json.loads(embedding) if embedding else {},
        )

    async def sources(self, collection: str) -> list[Kept]:
        return sorted((await (await self._shelf(collection)).sources()).values(), key=lambda one: one.source)

    async def rows(self, collection: str) -> list[Row]:
        """All pieces."""
        return [row async for some in (await self._shelf(collection)).all() for row in some]

    async def text(self, collection: str, source: str) -> str:
        """The text of a source, as it was when it was added. Only white space at its end may be missing."""
        shelf, text = await self._shelf(collection), ""
        rows = await shelf.texts([source])
        if not rows and source not in await shelf.sources():
            raise NotFound(f"There is no source {source!r} in {collection}.", next_step=f"mmos rag list -C {collection}")
        for row in rows:
            text += row.gap + row.text[max(0, len(text) - row.start) :]
        return text

    async def delete(self, collection: str, sources: Sequence[str] | None = None, *, on_wait: Callable[[], None] | None = None) -> int:
        """Delete sources, or with None the whole collection. Returns how many sources were deleted."""
        async with self._writing(collection, on_wait):
            if sources is None:
                return await self._drop(collection)
            kept = await (await self._shelf(collection)).sources()
            there = {one for one in sources if one in kept}
            await to_end(self._delete(await self._shelf(collection), there))
            return len(there)

    async def _drop(self, collection: str) -> int:
        """Delete a whole collection, also a damaged one: that is the only way out."""
        try:
            count = len(await (await self._shelf(collection)).sources())
        except StateDamaged:
            count = 0
        self._open.pop(collection, None)
        self._vectors.close(collection)
        await to_end(self._store.drop(collection))
        return count

    async def _delete(self, shelf: Shelf, sources: set[str]) -> None:
        counting = await Counting.of(shelf)
        await remove(shelf, counting, sources)
        await counting.end()
        await shelf.upkeep(always=False)

    @asynccontextmanager
    async def _writing(self, collection: str, on_wait: Callable[[], None] | None) -> AsyncIterator[None]:
        async with writing(self.place, checked(collection), on_wait=on_wait):
            yield


def _no_collection(collection: str) -> NotFound:
    return NotFound(f"There is no collection {collection!r}.", next_step=f"Add documents: mmos rag add PATH -C {collection}")


def _passages(
    collection: str, query: Query, ranked: Iterable[tuple[float, Row]], near: Mapping[str, Sequence[Row]], frequencies: Frequencies
) -> list[Passage]:
    """The best passages. One that shares more than a part with a better one is left out."""
    best: list[Passage] = []
    for score, row in ranked:
        around = around_of(row, near)
        start, end = span(query.text, row, around, frequencies)
        passage = Passage(collection, row.source, start, end, around.part(start, end), score, row.title, row.path, row.language)
        if not any(_shared(passage, other) > _SAME for other in best):
            best.append(passage)
        if len(best) == query.top_k:
            break
    return best


def _shared(one: Passage, other: Passage) -> float:
    """The part of the shorter one that both have."""
    if one.source != other.source:
        return 0.0
    return (min(one.end, other.end) - max(one.start, other.start)) / max(1, min(one.end - one.start, other.end - other.start))
