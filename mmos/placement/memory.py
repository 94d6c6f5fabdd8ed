"""Knows what fits into the memory of a host beside what: as configured, or as learned from what the host kept and pushed out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from mmos.placement.facts import Machine, Resident

GIB = 1 << 30
SHARE_OF_FREE = 0.8
"""Ollama loads a further model only when it expects the model to take at most this share of the free memory."""
SPILL = 12.0
"""How many times slower a layer is in main memory than on a GPU."""
GROUP = 3
"""By default an Ollama host keeps so many models in memory for each GPU."""
CLEARLY = 0.75
"""Models that take at most so much of the memory fit into it, however inexactly it is known."""
USUAL = tuple(size * GIB for size in (4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512))
"""The memory that hosts have. An unknown host is taken for the smallest that could hold what it held."""


class Memory:
    """The memory of one host."""

    def __init__(self, machine: Machine) -> None:
        self._configured = machine.memory
        self._most_loaded = GROUP
        """Models at the same time."""
        self._together = 0
        """Models that it held at the same time."""
        self._proven = False
        """Whether the host pushed a model out that had room, because there were too many."""
        self._least = 0.0
        """It has at least so many bytes, because models were in it together."""
        self._most = math.inf
        """It has fewer bytes than that, because it pushed a model out, or kept a part of one in main memory."""

    @property
    def capacity(self) -> float:
        """Bytes for models, at most. Infinite: nothing is known."""
        return self._most if self._configured is None else self._configured

    def slowness(self, size: float) -> float:
        """How many times slower a model is here when a part of it must stay in main memory."""
        over = max(0.0, 1.0 - self.capacity / size) if size else 0.0
        return 1.0 + (SPILL - 1.0) * over

    def fits(self, size: float, beside: Collection[float]) -> bool:
        """Whether a model can surely be loaded beside others without pushing one of them out."""
        if not beside or len(beside) >= self._most_loaded:
            return not beside
        needed = _needed(size, beside)
        if self._configured is not None:
            return needed <= self._configured
        return needed <= self._least or (needed < self._most and needed <= self.assumed())

    def surely_held(self, size: float, beside: Collection[float]) -> bool:
        """Whether a model that was loaded beside others cannot have pushed one of them out."""
        if len(beside) >= self._most_loaded:
            return False
        return self._configured is not None or sum(beside) + size <= self._least

    def may_fit(self, size: float, beside: Collection[float]) -> bool:
        """Whether it is worth a try to load a model beside others, because nobody knows."""
        if len(beside) >= self._most_loaded and self._proven:
            return False
        needed = _needed(size, beside)
        return needed < self._most if self._configured is None else needed <= self._configured

    def assumed(self, size: float = 0.0) -> float:
        """Its bytes, or if nothing is configured, the least that it probably has: it could hold what it held, and this size."""
        if self._configured is not None:
            return self._configured
        return min(self._most, next((usual for usual in USUAL if usual >= max(self._least, size)), math.inf))

    @property
    def learned(self) -> tuple[float, float]:
        """The bytes that it has at least, and fewer than which it has."""
        return self._least, self._most

    def recall(self, least: float, most: float) -> None:
        """Take what an earlier run learned."""
        if least < most:
            self._least, self._most = max(self._least, least), min(self._most, most)

    def seen(self, residents: Iterable[Resident]) -> None:
        """These models are in memory together."""
        listed = list(residents)
        self._together = max(self._together, len(listed))
        if len(listed) > self._most_loaded:
            self._most_loaded, self._proven = len(listed), False
        self._least = max(self._least, sum(min(resident.size, resident.on_gpu) for resident in listed))
        if any(resident.on_gpu < resident.size for resident in listed):
            self._most = min(self._most, sum(resident.on_gpu for resident in listed) * 1.01)
        if self._least > self._most:
            self._most = math.inf

    def pushed_out(self, size: float, beside: Collection[float]) -> None:
        """The host pushed a model out to load one of this size; `beside` has the one that left."""
        count, needed = len(beside), _needed(size, beside)
        if count >= self._together and self._had_room(count, needed):
            self._most_loaded, self._proven = count, True
        elif needed > self._least:
            self._most = min(self._most, needed)

    def _had_room(self, count: int, needed: float) -> bool:
        """Whether there was memory for one more model, so that there were too many. With fewer than usual, memory is the likelier reason, unless much was free."""
        limit = (USUAL[0] if count < self._most_loaded else self._most) if self._configured is None else self._configured
        return needed < (CLEARLY * limit if count < self._most_loaded else limit)


def _needed(size: float, beside: Iterable[float]) -> float:
    """The memory that a host needs to load a model beside others."""
    return sum(beside) + size / SHARE_OF_FREE
