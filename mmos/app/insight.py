"""Tells votes what the fleet knows: which models are in memory, and how much texts are alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import mul

from mmos.catalog.naming import said
from mmos.errors import HostError
from mmos.fleet.fleet import Fleet
from mmos.fleet.seats import Seat
from mmos.names import canonical

EMBEDDING = "embedding"
LONGEST = 2_000
"""Characters of a text that are compared: models for embeddings have small windows."""


@dataclass(frozen=True)
class FleetInsight:
    """What the fleet of an app knows."""

    fleet: Fleet

    def resident(self) -> Collection[str]:
        return {model for seat in self.fleet.seats for model in seat.residents.stays}

    async def likeness(self, texts: Sequence[str]) -> Callable[[str, str], float] | None:
        model, different = self._embedder(), list(dict.fromkeys(texts))
        if not model or len(different) < 2:
            return None
        try:
            found = await self.fleet.embed(model, [text[:LONGEST] for text in different])
        except HostError:
            return None  # words alone must do
        vectors = dict(zip(different, found, strict=True))
        return lambda one, other: _cosine(vectors, one, other)

    def _embedder(self) -> str:
        """A model for embeddings that a host has, those in memory first. Empty: none."""
        models = sorted({name for seat in self.fleet.seats for name in _embedders(seat)})
        return next((name for name in models if canonical(name) in self.resident()), next(iter(models), ""))


def _embedders(seat: Seat) -> Collection[str]:
    installed = (seat.installed or {}).values()
    return [
        one.name for one in installed if not one.remote and (EMBEDDING in (one.capabilities or ()) or EMBEDDING.upper() in said(one.name))
    ]


def _cosine(vectors: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    a, b = vectors.get(one), vectors.get(other)
    if not a or not b or len(a) != len(b):
        return 0.0
    length = math.hypot(*a) * math.hypot(*b)
    return sum(map(mul, a, b)) / length if length else 0.0
