"""Holds a loaded model: its window, its slots with their KV caches, and its users."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from os.path import commonprefix

from mmos.rehearsal.memory import SPILL, Need, Shares
from mmos.rehearsal.personas import Model
from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.tokens import count

LEAST_SIMILAR = 0.1
"""The share of a prompt that a slot's cache must have, so that the request takes that slot."""


@dataclass
class Slot:
    """A place for one request at a time, with the prompt in its KV cache."""

    cache: Sequence[str] = ()
    tokens: int = 0
    used: int = 0

    def hold(self, parts: Sequence[str], tokens: int) -> None:
        self.cache, self.tokens = parts, tokens

    def reusable(self, parts: Sequence[str]) -> int:
        """How many tokens at the start of a prompt are in the cache."""
        same = 0
        for mine, theirs in zip(self.cache, parts, strict=False):
            if mine != theirs:
                start = commonprefix([mine, theirs])  # noqa: RUF071  # texts, character by character
                return sum(map(count, parts[:same])) + count(start)
            same += 1
        return self.tokens if same == len(self.cache) else sum(map(count, parts))


@dataclass(eq=False)
class Runner:
    """An engine with a model in it."""

    need: Need
    """The request that it was loaded for."""
    shares: Shares
    keep_alive: float = 300.0
    expires: float = math.inf
    users: int = 0
    dead: bool = False
    """Whether the engine is dead. The host notices it at the next request."""
    uses: int = 0

    def __post_init__(self) -> None:
        self._free = [Slot() for _ in range(self.need.parallel)]
        self._gate = asyncio.Semaphore(self.need.parallel)

    @property
    def model(self) -> Model:
        return self.need.model

    @property
    def window(self) -> int:
        return self.need.window

    @property
    def vram(self) -> int:
        """The share that is on GPUs."""
        return min(self.need.size, sum(self.shares))

    @property
    def slowness(self) -> float:
        """How many times slower it is than on GPUs alone."""
        return 1.0 + (SPILL - 1.0) * (1.0 - self.vram / self.need.size)

    def serves(self, need: Need, profile: Profile) -> bool:
        """Whether a request can use it without another load."""
        return not (self.dead or any(self._differs(name, need, profile) for name in profile.reloads))

    def _differs(self, name: str, need: Need, profile: Profile) -> bool:
        if name == "num_ctx":
            return self.window != need.window
        usual = profile.defaults.get(name)
        mine, theirs = self.need.options.get(name, usual), need.options.get(name, usual)
        # a request without a number of GPU layers takes the model as it is loaded
        return mine != theirs and not (name == "num_gpu" and theirs is None)

    @asynccontextmanager
    async def slot(self, parts: Sequence[str]) -> AsyncIterator[Slot]:
        """Wait for a free slot. Take the one whose cache fits best, or the one that was unused for longest."""
        async with self._gate:
            slot = self._choose(parts) if len(self._free) > 1 else self._free[0]
            self._free.remove(slot)
            self.uses += 1
            slot.used = self.uses
            try:
                yield slot
            finally:
                self._free.append(slot)

    def _choose(self, parts: Sequence[str]) -> Slot:
        best = max(self._free, key=lambda slot: slot.reusable(parts))
        similar = best.reusable(parts) > LEAST_SIMILAR * sum(map(count, parts))
        return best if similar else min(self._free, key=lambda slot: slot.used)
