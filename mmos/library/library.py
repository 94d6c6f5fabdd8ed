"""The library: adds documents to collections, finds passages in them, and shows and deletes what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmos.errors import NotFound
from mmos.library.cutting import cut
from mmos.library.finding import Found, PassedOver
from mmos.library.frequencies import Frequencies
from mmos.library.passages import Document, Embedder, Passage, Query
from mmos.library.ranking import rank
from mmos.library.reading.files import Unreadable, read
from mmos.library.store import Kept, Prepared, Row, Shelf, Store, indexed, names_in
from mmos.threads import on_thread

CANDIDATES = 50
"""Pieces that are ranked."""
BATCH = 1_000
"""Pieces that are kept at once."""
FREQUENCIES = "frequencies"


@dataclass
class Added:
    """What came of adding documents."""

    sources: int = 0
    """Sources that are new or have changed."""
    pieces: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Sources that are no longer in an added folder."""
    passed_over: list[PassedOver] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """How far the adding of documents is."""

    done: int
    """Files that were looked at."""
    all: int
    """0: not known yet."""
    pieces: int
    source: str


class Library:
    """The documents of a user, in collections.

    Example::

        library = mmos.library.Library(".mmos/library")
        await library.add("notes", mmos.library.find(["docs"]))
        for passage in await library.search("notes", Query("How long does a host have to answer?")):
            print(passage.source, passage.start, passage.score)
    """

    def __init__(self, place: str | Path, *, embedder: Callable[[str], Embedder | None] = lambda _: None) -> None:
        self.place = str(place)
        self._store = Store(self.place)
        self._embedder = embedder
        """Gives what makes vectors, for the name of a model."""
        self._known: dict[str, Frequencies] = {}

    def names(self) -> list[str]:
        return names_in(self.place)

    async def _shelf(self, collection: str) -> Shelf:
        if collection not in await self._store.names():
            raise NotFound(f"There is no collection {collection!r}.", next_step=f"Add documents: mmos rag add PATH -C {collection}")
        return await self._store.open(collection)

    # ---------------------------------------------------------------- adding

    async def add(
        self,
        collection: str,
        sources: Iterable[Found | PassedOver | Document],
        *,
        on_step: Callable[[Step], None] | None = None,
    ) -> Added:
        """Add files or documents. A source that has not changed is left as it is. One that is no longer in an added folder is deleted."""
        shelf, added = await self._store.make(collection), Added()
        kept, frequencies = await shelf.sources(), await self._frequencies(shelf)
        listed = list(sources)
        batch: list[Prepared] = []
        for number, one in enumerate(listed, 1):
            if isinstance(one, PassedOver):
                added.passed_over.append(one)
                continue
            if isinstance(one, Found) and _is_unchanged(one, kept.get(one.path)):
                added.unchanged += 1
                continue
            try:
                document = await on_thread(read, one) if isinstance(one, Found) else one
            except Unreadable as error:
                added.passed_over.append(PassedOver(getattr(one, "path", ""), str(error)))
                continue
            batch.append(Prepared(document, await on_thread(cut, document.text, document.language)))
            if sum(len(each.pieces) for each in batch) >= BATCH:
                await self._keep(shelf, batch, frequencies, added)
                batch = []
            if on_step is not None:
                on_step(Step(number, len(listed), added.pieces, document.source))
        await self._keep(shelf, batch, frequencies, added)
        await self._finish(shelf, frequencies, added, _gone(listed, kept))
        return added

    async def _keep(self, shelf: Shelf, batch: Sequence[Prepared], frequencies: Frequencies, added: Added) -> None:
        if not batch:
            return
        before = await shelf.texts([one.document.source for one in batch])
        frequencies.add((indexed(row.title, row.path) + row.text for row in before), -1)
        await shelf.put(batch, time.time())
        for one in batch:
            document = one.document
            frequencies.add(indexed(document.title, piece.path) + document.text[piece.start : piece.end] for piece in one.pieces)
        added.sources += len(batch)
        added.pieces += sum(len(one.pieces) for one in batch)

    async def _finish(self, shelf: Shelf, frequencies: Frequencies, added: Added, gone: Sequence[str]) -> None:
        if gone:
            before = await shelf.texts(gone)
            frequencies.add((indexed(row.title, row.path) + row.text for row in before), -1)
            await shelf.remove(gone)
            added.deleted = len(gone)
        if added.sources or gone:
            await shelf.set(FREQUENCIES, frequencies.to_bytes())
            await shelf.upkeep()

    async def _frequencies(self, shelf: Shelf) -> Frequencies:
        kept = await shelf.get(FREQUENCIES)
        return Frequencies.of_bytes(kept) if kept else Frequencies()

    # ---------------------------------------------------------------- finding

    async def search(self, collection: str, query: Query) -> list[Passage]:
        """The passages that fit a question, the best first."""
        shelf = await self._shelf(collection)
        rows = await shelf.candidates(query.text, query.where, CANDIDATES)
        frequencies = await self._frequencies(shelf)
        scores = rank(query.text, [indexed(row.title, row.path) + row.text for row in rows], frequencies)
        ranked = sorted(zip(scores, rows, strict=True), key=lambda pair: -pair[0])[: query.top_k]
        return [_passage(collection, row, score) for score, row in ranked] if ranked and ranked[0][0] >= query.threshold else []

    # ---------------------------------------------------------------- what is there

    async def sources(self, collection: str) -> list[Kept]:
        return sorted((await (await self._shelf(collection)).sources()).values(), key=lambda one: one.source)

    async def text(self, collection: str, source: str) -> str:
        """The text of a source, as it was when it was added."""
        text = ""
        for row in await (await self._shelf(collection)).texts([source]):
            text += " " * (row.start - len(text)) + row.text[max(0, len(text) - row.start) :]
        if not text:
            raise NotFound(f"There is no source {source!r} in {collection}.", next_step=f"mmos rag list -C {collection}")
        return text

    async def delete(self, collection: str, sources: Sequence[str] | None = None) -> int:
        """Delete sources, or with None the whole collection. Returns how many sources were deleted."""
        shelf = await self._shelf(collection)
        if sources is None:
            count = len(await shelf.sources())
            await self._store.drop(collection)
            return count
        frequencies, there = await self._frequencies(shelf), [one for one in sources if one in await shelf.sources()]
        added = Added()
        await self._finish(shelf, frequencies, added, there)
        return added.deleted


def _is_unchanged(found: Found, kept: Kept | None) -> bool:
    return kept is not None and (kept.size, kept.changed, kept.root) == (found.size, found.changed, found.root)


def _gone(listed: Iterable[Found | PassedOver | Document], kept: dict[str, Kept]) -> list[str]:
    """The kept sources of the added folders that are no longer there."""
    found = [one for one in listed if isinstance(one, Found)]
    roots, there = {one.root for one in found if one.root}, {one.path for one in found}
    return [source for source, one in kept.items() if one.root in roots and source not in there]


def _passage(collection: str, row: Row, score: float) -> Passage:
    return Passage(collection, row.source, row.start, row.end, row.text, score, row.title, row.path, row.language)
