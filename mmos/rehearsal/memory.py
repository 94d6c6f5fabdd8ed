"""Computes the memory of a loaded model: what Ollama predicts, what the model really needs, and on which GPUs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mmos.rehearsal.personas import Model

GIB = 1 << 30
MIB = 1 << 20
OVERHEAD = 128 * MIB
"""Bytes of an engine's compute buffers."""
SHARE_OF_FREE = 0.8
"""Ollama loads a further model only when it expects the model to take at most this share of the free memory."""
BATCHES = ((32768, 2 * GIB, 0.75), (4096, 768 * MIB, 0.6))
"""From how many tokens of all slots a larger batch is tried, the bytes that it takes, and the share of the free memory that it may use."""
SPILL = 12.0
"""How many times slower a layer is in main memory than on a GPU."""

Shares: TypeAlias = Sequence[int]
"""Bytes on each GPU."""


@dataclass(frozen=True)
class Need:
    """A model as a request wants it loaded."""

    model: Model
    window: int
    parallel: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    """The requested options that matter to a load."""
    keep_alive: float | None = None
    failure: str | None = None
    """The error of its load. None: it succeeds."""
    stall: float = 0.0
    """Seconds that the load stops before it fails."""

    @property
    def size(self) -> int:
        """All bytes that it takes."""
        return self.model.size + self.model.architecture.kv_bytes * self.window * self.parallel + OVERHEAD

    @property
    def on_gpu(self) -> float | None:
        """The part of its layers that the request wants on GPUs. None: the host decides."""
        layers = self.options.get("num_gpu")
        every = self.model.architecture.layers + 1
        return None if layers is None or not 0 <= layers < every else float(layers / every)

    def expected(self, free: float) -> int:
        """The bytes that the host predicts. It takes the head size as the embedding length divided by the number of heads."""
        architecture = self.model.architecture
        head = architecture.embedding_length // architecture.heads
        tokens = min(self.window, self.model.context_length) * self.parallel
        plain = self.model.size + 2 * architecture.layers * architecture.kv_heads * head * tokens * 2
        for least, extra, share in BATCHES:
            if tokens > least and plain + extra <= share * free:
                return plain + extra
        return plain


class Cards:
    """The GPUs of a host."""

    def __init__(self, sizes: Sequence[float]) -> None:
        self._sizes = sizes

    def free(self, shares_in_use: Iterable[Shares]) -> list[float]:
        rows = list(shares_in_use)
        return [max(0.0, size - sum(shares[place] for shares in rows)) for place, size in enumerate(self._sizes)]

    def place(self, need: Need, shares_in_use: Sequence[Shares]) -> Shares | None:
        """Where a model goes. None: another model must be unloaded first. The first model on a host always fits: its excess goes to main memory."""
        free = self.free(shares_in_use)
        best = max(range(len(free)), key=free.__getitem__)
        if need.on_gpu is not None:
            return self._on_one(best, min(need.size * need.on_gpu, free[best]))
        if need.expected(free[best]) <= SHARE_OF_FREE * free[best]:
            return self._on_one(best, min(need.size, free[best]))
        if shares_in_use and need.expected(sum(free)) > SHARE_OF_FREE * sum(free):
            return None
        if shares_in_use and len(free) == 1:
            return None
        return self._on_all(need.size, free)

    def _on_one(self, place: int, size: float) -> Shares:
        return [int(size) if other == place else 0 for other in range(len(self._sizes))]

    def _on_all(self, size: int, free: Sequence[float]) -> Shares:
        every = sum(free)
        part = min(1.0, size / every) if every else 0.0
        return [size] if math.isinf(every) else [math.ceil(room * part) for room in free]
