"""Which models a host holds in memory: loads one after the other, slots for each, room made by unloading idle ones."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os.path import commonprefix

from mmos.rehearsal.clock import Clock
from mmos.rehearsal.personas import Model
from mmos.rehearsal.tokens import count

WARM_SECONDS = 0.0015
"""What a host reports as load when the model was there."""
KEEP_ALIVE = 300.0
LEAST_SIMILAR = 0.1
"""The part of a prompt that a slot must hold to be taken for its cache."""
GIB = 1 << 30


@dataclass
class Slot:
    """A place for one request at a time, with the prompt that its KV cache holds."""

    held: Sequence[str] = ()
    tokens: int = 0
    used: int = 0

    def hold(self, parts: Sequence[str], tokens: int) -> None:
        self.held, self.tokens = parts, tokens

    def reusable(self, parts: Sequence[str]) -> int:
        """How many tokens at the front of a prompt are in the cache."""
        same = 0
        for mine, theirs in zip(self.held, parts, strict=False):
            if mine != theirs:
                start = commonprefix([mine, theirs])  # noqa: RUF071  # texts, sign by sign
                return sum(map(count, parts[:same])) + count(start)
            same += 1
        return self.tokens if same == len(self.held) else sum(map(count, parts))


@dataclass(eq=False)
class Runner:
    """A loaded model with its window."""

    model: Model
    window: int
    parallel: int
    keep_alive: float = KEEP_ALIVE
    expires: float = math.inf
    users: int = 0
    leaving: bool = False
    """Nobody new gets in; it goes as soon as it is idle."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    uses: int = 0

    def __post_init__(self) -> None:
        self._free = [Slot() for _ in range(self.parallel)]
        self._gate = asyncio.Semaphore(self.parallel)

    @property
    def size(self) -> int:
        return self.model.size + self.model.architecture.kv_bytes * self.window * self.parallel

    @asynccontextmanager
    async def slot(self, parts: Sequence[str]) -> AsyncIterator[Slot]:
        """Wait for a free slot: the one whose cache fits best, else the one unused for longest."""
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


class Residency:
    """The runners of a host and the memory that they share."""

    def __init__(self, clock: Clock, *, parallel: int = 1, memory: float | None = None) -> None:
        self.loads = 0
        self._clock = clock
        self._parallel = parallel
        self._memory = math.inf if memory is None else memory * GIB
        self._runners: dict[str, Runner] = {}
        self._loading = asyncio.Lock()

    def loaded(self) -> list[Runner]:
        """What is in memory now, longest expiry first."""
        for runner in list(self._runners.values()):
            if runner.users == 0 and runner.expires <= self._clock.now():
                self._drop(runner)
        return sorted(self._runners.values(), key=lambda runner: -runner.expires)

    def left(self, runner: Runner) -> float:
        """Seconds until an idle runner is unloaded; a busy one shows where it stood."""
        return runner.expires - self._clock.now()

    @asynccontextmanager
    async def hold(self, model: Model, window: int, keep_alive: float | None = None) -> AsyncIterator[tuple[Runner, float]]:
        """The model in memory for as long as a request needs it, and the seconds that loading took."""
        runner, seconds = await self._enter(model, window)
        if keep_alive is not None:
            runner.keep_alive = keep_alive
        try:
            yield runner, seconds
        finally:
            self._leave(runner)

    def unload(self, model: Model) -> None:
        """Let the model go as soon as nobody uses it."""
        runner = self._runners.get(model.full_name)
        if runner is not None:
            runner.leaving = True
            if runner.users == 0:
                self._drop(runner)

    async def _enter(self, model: Model, window: int) -> tuple[Runner, float]:
        since = self._clock.now()
        seconds = WARM_SECONDS
        runner = self._ready(model, window)
        if runner is None:
            async with self._loading:
                runner = self._ready(model, window)
                if runner is None:
                    runner = await self._load(model, window)
                    seconds = model.speed.load_seconds
        runner.users += 1
        runner.idle.clear()
        return runner, max(seconds, self._clock.now() - since)

    def _ready(self, model: Model, window: int) -> Runner | None:
        runner = self._runners.get(model.full_name)
        if runner is None or runner.leaving or runner.window != window:
            return None
        if runner.users == 0 and runner.expires <= self._clock.now():
            self._drop(runner)
            return None
        return runner

    async def _load(self, model: Model, window: int) -> Runner:
        runner = Runner(model, window, 1 if model.can("embedding") else self._parallel)
        if before := self._runners.get(model.full_name):
            await self._evict(before)
        self.loaded()
        while self._runners and runner.size + sum(other.size for other in self._runners.values()) > self._memory:
            await self._evict(self._victim())
        await self._clock.sleep(model.speed.load_seconds)
        runner.expires = self._clock.now() + runner.keep_alive
        self._runners[model.full_name] = runner
        self.loads += 1
        return runner

    def _victim(self) -> Runner:
        """An idle one before a busy one, then the shortest keep-alive, then the name."""
        return min(self._runners.values(), key=lambda runner: (runner.users > 0, runner.keep_alive, runner.model.name))

    async def _evict(self, runner: Runner) -> None:
        runner.leaving = True
        try:
            if runner.users:
                await runner.idle.wait()
        except asyncio.CancelledError:
            runner.leaving = False  # whoever wanted the room has left
            raise
        self._drop(runner)

    def _leave(self, runner: Runner) -> None:
        runner.users -= 1
        if runner.users:
            return
        runner.idle.set()
        runner.expires = self._clock.now() + runner.keep_alive
        if runner.keep_alive == 0 or runner.leaving:
            self._drop(runner)

    def _drop(self, runner: Runner) -> None:
        if self._runners.get(runner.model.full_name) is runner:
            del self._runners[runner.model.full_name]
