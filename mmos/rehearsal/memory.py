"""The memory of a loaded model: what Ollama predicts, what it really needs, and on which GPUs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mmos.rehearsal.personas import Model

GIB = 1 << 30
MIB = 1 << 20
OVERHEAD = 128 * MIB
"""Compute buffers of an engine."""
SHARE_OF_FREE = 0.8
"""A further model is loaded beside others only where it is expected to take no more of what is free."""
BATCHES = ((32768, 2 * GIB, 0.75), (4096, 768 * MIB, 0.6))
"""Tokens of all slots from which on a larger batch is tried, what it takes, and the share of the free memory that it may reach."""
SPILL = 12.0
"""How many times as slow a layer is that lies in the computer's own memory."""

Shares: TypeAlias = Sequence[int]
"""Bytes on each GPU."""


@dataclass(frozen=True)
class Need:
    """A model as a request wants it loaded."""

    model: Model
    window: int
    parallel: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those that were asked for and matter to a load."""
    keep_alive: float | None = None
    failure: str | None = None
    """What a load of it comes to, where it fails."""
    stall: float = 0.0
    """How long the load stands still before."""

    @property
    def size(self) -> int:
        """All that it takes."""
        return self.model.size + self.model.architecture.kv_bytes * self.window * self.parallel + OVERHEAD

    @property
    def on_gpu(self) -> float | None:
        """The part of its layers that the request wants on GPUs; None leaves it to the host."""
        layers = self.options.get("num_gpu")
        every = self.model.architecture.layers + 1
        return None if layers is None or not 0 <= layers < every else float(layers / every)

    def expected(self, free: float) -> int:
        """What the host believes that it takes: as if a head were as long as the embedding is, divided among the heads."""
        built = self.model.architecture
        head = built.embedding_length // built.heads
        tokens = min(self.window, self.model.context_length) * self.parallel
        plain = self.model.size + 2 * built.layers * built.kv_heads * head * tokens * 2
        for least, extra, share in BATCHES:
            if tokens > least and plain + extra <= share * free:
                return plain + extra
        return plain


class Cards:
    """The GPUs of a host."""

    def __init__(self, sizes: Sequence[float]) -> None:
        self._sizes = sizes

    def free(self, held: Iterable[Shares]) -> list[float]:
        rows = list(held)
        return [max(0.0, size - sum(shares[place] for shares in rows)) for place, size in enumerate(self._sizes)]

    def place(self, need: Need, held: Sequence[Shares]) -> Shares | None:
        """Where a model goes; None where somebody has to leave first. The first on a host always gets in: what is too much spills."""
        free = self.free(held)
        best = max(range(len(free)), key=free.__getitem__)
        if need.on_gpu is not None:
            return self._on_one(best, min(need.size * need.on_gpu, free[best]))
        if need.expected(free[best]) <= SHARE_OF_FREE * free[best]:
            return self._on_one(best, min(need.size, free[best]))
        if held and need.expected(sum(free)) > SHARE_OF_FREE * sum(free):
            return None
        if held and len(free) == 1:
            return None
        return self._on_all(need.size, free)

    def _on_one(self, place: int, taken: float) -> Shares:
        return [int(taken) if other == place else 0 for other in range(len(self._sizes))]

    def _on_all(self, size: int, free: Sequence[float]) -> Shares:
        every = sum(free)
        part = min(1.0, size / every) if every else 0.0
        return [size] if math.isinf(every) else [math.ceil(room * part) for room in free]
