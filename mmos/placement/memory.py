"""Knows what fits into the memory of a host beside what: as configured, or as learned from what the host pushed out."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mmos.placement.facts import Machine, Resident

SHARE_OF_FREE = 0.8
"""Ollama loads a further model only when it expects the model to take at most this share of the free memory."""
SPILL = 12.0
"""How many times slower a layer is in main memory than on a GPU."""


class Memory:
    """The memory of one host."""

    def __init__(self, machine: Machine) -> None:
        self._configured = machine.memory
        self._most_loaded = machine.most_loaded
        self._held = 0.0
        """The largest sum of models that were in memory together."""
        self._burst = math.inf
        """The smallest sum at which the host pushed a model out."""

    @property
    def capacity(self) -> float:
        """Bytes for models. Infinite: nothing is known."""
        return self._configured if self._configured is not None else max(self._held, self._burst)

    def fits_ever(self, size: float) -> bool:
        """Whether a model fits, alone and whole."""
        return size <= self.capacity

    def slowness(self, size: float) -> float:
        """How many times slower a model is here when a part of it must stay in main memory."""
        over = max(0.0, 1.0 - self.capacity / size) if size else 0.0
        return 1.0 + (SPILL - 1.0) * over

    def fits(self, size: float, beside: Iterable[float]) -> bool:
        """Whether a model can be loaded beside others without pushing one of them out."""
        sizes = list(beside)
        if not sizes:
            return True
        if len(sizes) >= self._most_loaded:
            return False
        if self._configured is not None:
            return size <= SHARE_OF_FREE * (self._configured - sum(sizes))
        return size + sum(sizes) < self._burst or size + sum(sizes) <= self._held

    def seen(self, residents: Iterable[Resident]) -> None:
        """These models were in memory together."""
        sizes = [resident.size for resident in residents]
        self._most_loaded = max(self._most_loaded, len(sizes))
        self._held = max(self._held, sum(sizes))
        if self._held >= self._burst:
            self._burst = math.inf

    def pushed_out(self, together: float) -> None:
        """The host pushed a model out because so many bytes did not fit."""
        if self._configured is None and together > self._held:
            self._burst = min(self._burst, together)
