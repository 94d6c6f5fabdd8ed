"""Keeps the models in a host's memory: it loads one at a time, queues requests for others, and unloads models to make room."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mmos.rehearsal.clock import Clock
from mmos.rehearsal.decoding import RefusalError
from mmos.rehearsal.memory import Cards, Need
from mmos.rehearsal.personas import Model
from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.runner import Runner

WARM_SECONDS = 0.0015
"""The load time that a host reports when the model was already in memory."""
MADE_ROOM = 30.0
"""A load that needs the room of a model counts as a swap if a client had that model unloaded less than so many seconds before."""
BUSY = "server busy, please try again.  maximum pending requests exceeded"


@dataclass(frozen=True)
class Limits:
    """The limits of a host."""

    cards: Cards
    max_loaded: int = 3
    max_queue: int = 512
    keep_alive: float = 300.0
    swap_seconds: float = 0.0
    """Seconds until the driver reports freed memory."""
    disk_gbps: float | None = None


@dataclass(eq=False)
class _LoadRequest:
    """A request that waits for its model to be loaded."""

    need: Need
    loaded: asyncio.Future[tuple[Runner, float]]
    client_left: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether its client left."""


@dataclass
class Tally:
    """Counts of the loads so far."""

    loads: int = 0
    swaps: int = 0
    """Loads that pushed a model out of memory: another one, or the same one with another window. It does not matter whether the host
    unloaded that one for the load, or a client did."""
    seconds: float = 0.0
    refused: int = 0


class Residency:
    """The runners of a host, and the memory that they share."""

    def __init__(self, clock: Clock, limits: Limits, profile: Profile) -> None:
        self.tally = Tally()
        self._clock = clock
        self._limits = limits
        self._profile = profile
        self._runners: dict[str, Runner] = {}
        self._waiting: deque[_LoadRequest] = deque()
        self._loader: asyncio.Task[None] | None = None
        self._loading: Runner | None = None
        self._unloaded = asyncio.Event()
        self._freed = 0.0
        self._sent_away: list[tuple[Runner, float]] = []
        """The models that clients had unloaded since the newest load, and when."""
        self._stuck = False

    def loaded(self) -> list[Runner]:
        """The models in memory now, latest expiry first."""
        for runner in list(self._runners.values()):
            if runner.users == 0 and runner.expires <= self._clock.now():
                self._drop(runner)
        return sorted(self._runners.values(), key=lambda runner: -runner.expires)

    def listed(self) -> list[Runner]:
        """The models that `ps` shows."""
        loading = [self._loading] if self._loading is not None and self._profile.lists_loading else []
        return [*self.loaded(), *loading]

    def seconds_left(self, runner: Runner) -> float:
        """Seconds until an idle runner is unloaded. A busy one keeps its last value."""
        return runner.expires - self._clock.now()

    @asynccontextmanager
    async def hold(self, need: Need) -> AsyncIterator[tuple[Runner, float]]:
        """Hold the model in memory while a request needs it. Gives the runner and the seconds until it was ready."""
        since = self._clock.now()
        runner = self._ready(need)
        if runner is not None:
            seconds = WARM_SECONDS
            self._enter(runner, need)
        else:
            runner, seconds = await self._queue(need)
        try:
            yield runner, max(seconds, self._clock.now() - since)
        finally:
            self._leave(runner)

    def unload(self, model: Model) -> None:
        """Unload the model as soon as no request uses it."""
        if not self._runners:
            self._stuck = False
            self._unloaded.set()
        if runner := self._runners.get(model.weights):
            self._sent_away.append((runner, self._clock.now()))
            self._expire(runner)

    def kill(self, model: Model) -> None:
        """Kill the engine of a model. The host does not notice it yet."""
        if runner := self._runners.get(model.weights):
            runner.dead = True

    def jam(self) -> None:
        """Stop all loads until a client unloads a model."""
        self._stuck = True

    def stop(self) -> None:
        if self._loader is not None:
            self._loader.cancel()

    # ------------------------------------------------------------ users of a runner

    def _ready(self, need: Need) -> Runner | None:
        runner = self._runners.get(need.model.weights)
        if runner is None or not runner.serves(need, self._profile):
            return None
        if runner.users == 0 and runner.expires <= self._clock.now():
            self._drop(runner)
            return None
        return runner

    def _enter(self, runner: Runner, need: Need) -> None:
        runner.users += 1
        if need.keep_alive is not None:
            runner.keep_alive = need.keep_alive  # also if the runner was about to be unloaded: then it stays

    def _leave(self, runner: Runner) -> None:
        runner.users -= 1
        if runner.users:
            return
        runner.expires = self._clock.now() + runner.keep_alive
        if runner.keep_alive == 0:
            self._drop(runner)

    def _expire(self, runner: Runner) -> None:
        runner.keep_alive = 0.0
        if runner.users == 0:
            self._drop(runner)

    def _drop(self, runner: Runner) -> None:
        if self._runners.get(runner.model.weights) is runner:
            del self._runners[runner.model.weights]
            self._stuck = False
            self._freed = self._clock.now() + (self._limits.swap_seconds if runner.vram else 0.0)
            self._unloaded.set()

    # ------------------------------------------------------------ one load after the other

    async def _queue(self, need: Need) -> tuple[Runner, float]:
        if self._loader is not None and len(self._waiting) >= self._limits.max_queue:
            self.tally.refused += 1
            raise RefusalError(503, BUSY)
        loop = asyncio.get_running_loop()
        request = _LoadRequest(need, loop.create_future())
        if self._loader is None:
            self._loader = loop.create_task(self._work(request))
        else:
            self._waiting.append(request)
        try:
            return await request.loaded
        except asyncio.CancelledError:
            request.client_left.set()
            if request.loaded.done() and not request.loaded.cancelled() and request.loaded.exception() is None:
                self._leave(request.loaded.result()[0])
            raise

    async def _work(self, request: _LoadRequest) -> None:
        try:
            await self._serve(request)
            while self._waiting:
                await self._serve(self._waiting.popleft())
        finally:
            self._loader = None

    async def _serve(self, request: _LoadRequest) -> None:
        """Give one request its model. The host waits for the model that must be unloaded, even after the client left."""
        has_evicted = False
        while not request.client_left.is_set():
            if self._stuck:
                await self._something_unloaded()
                continue
            if runner := self._ready(request.need):
                return self._give(request, runner, WARM_SECONDS)
            stale = self._runners.get(request.need.model.weights)
            shares = None if stale else self._room(request.need)
            if shares is not None:
                return await self._load(request, Runner(request.need, shares), swap=has_evicted or self._needs_room_made(request.need))
            has_evicted = True
            await self._evict(stale or self._victim())
        return None

    def _give(self, request: _LoadRequest, runner: Runner, seconds: float) -> None:
        if not request.loaded.done():
            self._enter(runner, request.need)
            request.loaded.set_result((runner, seconds))

    def _needs_room_made(self, need: Need) -> bool:
        """Whether a load would not fit beside the models that clients have just had unloaded."""
        gone = [runner for runner, since in self._sent_away if self._clock.now() - since < MADE_ROOM]
        return bool(gone) and self._room(need, gone) is None

    def _room(self, need: Need, beside: Iterable[Runner] = ()) -> list[int] | None:
        runners = [*self.loaded(), *beside]
        if len(runners) >= self._limits.max_loaded:
            return None
        shares = self._limits.cards.place(need, [runner.shares for runner in runners])
        return None if shares is None else list(shares)

    def _victim(self) -> Runner:
        """The runner to unload: an idle one before a busy one, then the shortest keep-alive, then the name of its file."""
        return min(self._runners.values(), key=lambda runner: (runner.users > 0, runner.keep_alive, runner.model.weights))

    async def _evict(self, runner: Runner) -> None:
        self._unloaded.clear()
        self._expire(runner)
        await self._something_unloaded()
        await self._clock.until(self._freed)

    async def _something_unloaded(self) -> None:
        while not self._unloaded.is_set():
            idle = [self.seconds_left(runner) for runner in self._runners.values() if runner.users == 0]
            try:
                async with asyncio.timeout(self._clock.real(min(idle, default=math.inf))):
                    await self._unloaded.wait()
            except TimeoutError:
                self.loaded()
        self._unloaded.clear()

    async def _load(self, request: _LoadRequest, runner: Runner, *, swap: bool) -> None:
        need, limits = request.need, self._limits
        seconds = need.model.speed.load_seconds if limits.disk_gbps is None else need.model.size / (limits.disk_gbps * 1e9)
        seconds += need.stall
        self._loading = runner
        runner.keep_alive = limits.keep_alive if need.keep_alive is None else need.keep_alive
        runner.expires = self._clock.now() + seconds + runner.keep_alive
        try:
            if await self._clock.cut_short(seconds, request.client_left):
                return None  # the load belongs to the client of the request
        finally:
            self._loading = None
        if need.failure is not None:
            return request.loaded.set_exception(RefusalError(500, need.failure))
        self._runners[need.model.weights] = runner
        runner.expires = self._clock.now() + runner.keep_alive
        self._sent_away.clear()
        self.tally.loads += 1
        self.tally.swaps += swap
        self.tally.seconds += seconds
        self._give(request, runner, seconds)
        return None
