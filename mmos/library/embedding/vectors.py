"""Makes vectors of the pieces of a collection, and adds what they say to the scores of words."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import log
from statistics import median
from typing import Any

from mmos.errors import HostError, StateError, UsageError
from mmos.library.embedding.table import VectorTable
from mmos.library.embedding.weighing import MOST, weight_of
from mmos.library.embedding.windows import windows
from mmos.library.passages import Embedder, Query
from mmos.library.ranking import ENOUGH
from mmos.library.rows import Row
from mmos.library.store import Shelf, Store
from mmos.threads import on_thread

EMBEDDING = "embedding"
"""The key under which a collection keeps what is known of its vectors."""
AT_ONCE = 64
"""Windows that are sent to a model at once."""
_KEEP = 512
"""Pieces whose vectors are kept at once. A process that stops loses no more than these."""


@dataclass(frozen=True)
class Pinned:
    """The model whose vectors a collection has. Others cannot be compared with them."""

    model: str
    digest: str
    dimension: int
    weight: float
    agreement: float | None = None
    """See `weighing`."""


@dataclass(frozen=True)
class Embedded:
    """What came of making vectors."""

    model: str
    pieces: int
    """Pieces that have got vectors now."""
    windows: int
    weight: float
    agreement: float | None
    seconds: float


@dataclass(frozen=True)
class EmbedStep:
    """How far it is."""

    done: int
    all: int


async def pinned(shelf: Shelf) -> Pinned | None:
    kept = await shelf.get(EMBEDDING)
    return Pinned(**json.loads(kept)) if kept else None


def weight_in(known: Pinned | None, query: Query) -> float:
    """What vectors count in a search."""
    return 0.0 if known is None else known.weight if query.weight is None else query.weight


class Vectors:
    """The vectors of the collections of a library."""

    def __init__(self, store: Store, embedder: Callable[[str], Embedder | None], on_trouble: Callable[[str], None]) -> None:
        self._store, self._embedder, self._on_trouble = store, embedder, on_trouble
        self._tables: dict[str, VectorTable] = {}
        self._told: set[str] = set()

    def table(self, collection: str) -> VectorTable:
        return self._tables.setdefault(collection, VectorTable(self._store, collection))

    def close(self, collection: str) -> None:
        self._tables.pop(collection, None)

    # ---------------------------------------------------------------- searching

    async def add_to(
        self, shelf: Shelf, known: Pinned | None, query: Query, rows: Sequence[Row], scores: Sequence[float]
    ) -> Sequence[float]:
        """The scores with what vectors say. Whatever is in the way of it, words alone do."""
        weight = weight_in(known, query)
        if known is None or not weight:
            return scores
        try:
            vectors = await self.table(shelf.name).of({row.content for row in rows})
            question = await self._question(known, query.text) if vectors else None
        except (HostError, StateError, UsageError, TimeoutError) as error:
            self._tell(shelf.name, str(error) or f"the model {known.model} did not answer in time")
            return scores
        if question is None:
            return scores
        near = await on_thread(_nearness, question, [vectors.get(row.content) for row in rows])
        return blended(scores, near, weight)

    async def _question(self, known: Pinned, text: str) -> Sequence[float]:
        embedder = self._of(known.model)
        async with asyncio.timeout(embedder.seconds):
            await _check(embedder, known)
            (vector,) = await embedder.embed([text], question=True)
        if len(vector) != known.dimension:
            raise _other_model(known)
        return vector

    def _of(self, model: str) -> Embedder:
        embedder = self._embedder(model)
        if embedder is None:
            raise UsageError(f"The embedding model {model} is not to be had here.", next_step="Words alone are searched.")
        return embedder

    def _tell(self, collection: str, why: str) -> None:
        if (text := f"{collection}: words alone are searched. {why}") not in self._told:
            self._told.add(text)
            self._on_trouble(text)

    # ---------------------------------------------------------------- making

    async def fill(self, shelf: Shelf, model: str, on_step: Callable[[EmbedStep], None] | None = None) -> Embedded:
        """Make the vectors that are missing, and remove those of texts that are gone. Only who holds the lock may do so."""
        began, table = time.monotonic(), self.table(shelf.name)
        embedder, known = self._of(model), await pinned(shelf)
        if known is not None:
            await _check(embedder, known)
        texts = {row.content: row.text async for rows in shelf.all() for row in rows}
        there = await table.known()
        await table.remove([*(there - texts.keys())])
        missing, count, dimension = [one for one in texts if one not in there], 0, known.dimension if known else 0
        for start in range(0, len(missing), _KEEP):
            part = missing[start : start + _KEEP]
            made = await self._made({one: windows(texts[one]) for one in part}, embedder, dimension)
            count += sum(map(len, made.values()))
            dimension = dimension or len(next(iter(made.values()))[0])
            await table.keep(made)
            if known is None:
                known = Pinned(embedder.model, await embedder.digest(), dimension, 0.0)
                await _pin(shelf, known)
            if on_step is not None:
                on_step(EmbedStep(start + len(part), len(missing)))
        if known is None:
            return Embedded(model, 0, 0, 0.0, None, time.monotonic() - began)
        if missing:
            await table.upkeep()
        known = await self._weighed(shelf, known, [*texts][: 2 * MOST])
        return Embedded(known.model, len(missing), count, known.weight, known.agreement, time.monotonic() - began)

    async def _weighed(self, shelf: Shelf, known: Pinned, contents: Sequence[str]) -> Pinned:
        found = await self.table(shelf.name).of(contents)
        weight, agreement = await on_thread(weight_of, [found[one] for one in contents if one in found])
        known = replace(known, weight=weight, agreement=agreement)
        await _pin(shelf, known)
        return known

    async def _made(self, texts: Mapping[str, Sequence[str]], embedder: Embedder, dimension: int) -> dict[str, list[Sequence[float]]]:
        listed = [(content, window) for content, some in texts.items() for window in some]
        made: dict[str, list[Sequence[float]]] = {content: [] for content in texts}
        for start in range(0, len(listed), AT_ONCE):
            part = listed[start : start + AT_ONCE]
            vectors = await embedder.embed([window for _, window in part])
            for (content, _), vector in zip(part, vectors, strict=True):
                dimension = dimension or len(vector)
                if len(vector) != dimension:
                    raise UsageError(
                        f"{embedder.model} makes vectors of {len(vector)} numbers, and others of {dimension}.",
                        next_step="Use another model.",
                    )
                made[content].append(vector)
        return {content: some for content, some in made.items() if some}

    async def forget(self, shelf: Shelf) -> None:
        await self.table(shelf.name).forget()
        await shelf.forget(EMBEDDING)


async def _pin(shelf: Shelf, known: Pinned) -> None:
    await shelf.set(EMBEDDING, json.dumps(asdict(known)).encode())


async def _check(embedder: Embedder, known: Pinned) -> None:
    if await embedder.digest() != known.digest:
        raise _other_model(known)


def _other_model(known: Pinned) -> UsageError:
    return UsageError(
        f"The collection has vectors of another version of {known.model}, and they cannot be compared with new ones.",
        next_step="Make them anew: mmos rag reembed -C NAME",
    )


def _nearness(question: Sequence[float], pieces: Sequence[Any]) -> list[float | None]:
    """The cosine of the question with the nearest window of each piece. None: it has no vectors yet."""
    import numpy as np

    asked = np.asarray(question, np.float32)
    length = float(np.linalg.norm(asked)) or 1.0
    found: list[float | None] = []
    for one in pieces:
        if one is None or one.shape[1] != asked.shape[0]:
            found.append(None)
            continue
        lengths = np.linalg.norm(one, axis=1)
        found.append(float(np.max(one @ asked / np.where(lengths > 0, lengths, 1.0))) / length)
    return found


def blended(scores: Sequence[float], near: Sequence[float | None], weight: float) -> list[float]:
    """The scores, put into another order by how near the pieces are. The best one keeps the best score: it says whether anything fits at all.

    A piece without vectors counts as one that is as near as most.
    """
    there = [one for one in near if one is not None]
    words = [log(max(1e-9, 1 - score)) / log(1 - ENOUGH) for score in scores]
    most, nearest = max(words, default=0.0), max(there, default=0.0)
    if not there or most <= 0 or nearest <= 0:
        return list(scores)
    middle = median(there)
    sums = [word / most + weight * (middle if one is None else one) / nearest for word, one in zip(words, near, strict=True)]
    best = max(sums)
    return [1 - (1 - ENOUGH) ** (most * max(0.0, one) / best) for one in sums]
