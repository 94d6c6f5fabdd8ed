"""Has models loaded before they are asked: each job says which calls it expects, and the engine decides which loads are worth it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmos.config.windows import load_options
from mmos.fleet.census import CENSUS_SECONDS, NEVER
from mmos.fleet.dispatcher import Dispatcher
from mmos.fleet.keeping import hour
from mmos.fleet.seats import find
from mmos.names import canonical
from mmos.placement.forecasting import Order, Planning
from mmos.placement.warming import Expected

PATIENCE = 2.0
"""Seconds that hosts have to list their models. A load goes to one that has answered."""


@dataclass(frozen=True)
class Wish:
    """A model that will probably be asked soon."""

    model: str
    servers: tuple[str, ...] = ()
    """Empty: any host that has it."""
    window: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of its calls. Those that a host loads a model with count."""
    chance: float = 1.0


class Warmth:
    """What the jobs of a fleet expect. It asks the hosts for what it must know in tasks of its own, so no job waits for it."""

    def __init__(self, dispatcher: Dispatcher, clock: Callable[[], float]) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._counts: set[asyncio.Task[None]] = set()
        self._jobs: set[str] = set()

    @property
    def has_choices(self) -> bool:
        """Whether there may be more than one model or host, so that a model can be missing when it is asked."""
        return self._dispatcher.census.has_choices or any(seat.counted_at == NEVER for seat in self._dispatcher.by_name.values())

    def expect(self, job: str, wishes: Sequence[Wish]) -> asyncio.Task[None] | None:
        """From now on a job expects these calls, and no others. A load that has begun goes on.

        Returns the task that asks the hosts and has the loads begun. None: nothing must be loaded.
        """
        if wishes and not all(map(self.is_there, wishes)):
            return self.foresee(job, lambda: wishes)
        self._stop(job)
        if job in self._jobs:
            self._jobs.remove(job)
            self._dispatcher.expect(job, (), {})
        return None

    def foresee(self, job: str, wishes: Callable[[], Sequence[Wish]]) -> asyncio.Task[None]:
        """The same for wishes that depend on what is known of the hosts and their past."""
        self._stop(job)
        self._jobs.add(job)
        self._tasks[job] = task = asyncio.get_running_loop().create_task(self._ask(job, wishes))
        task.add_done_callback(lambda ended: self._tasks.pop(job) if self._tasks.get(job) is ended else None)
        return task

    def _stop(self, job: str) -> None:
        if task := self._tasks.pop(job, None):
            task.cancel()

    def pins(self, wish: Wish) -> bool:
        """Whether the configuration keeps the model in memory where it may run."""
        seats = self._dispatcher.by_name
        return any(canonical(wish.model) in seats[name].keep.pinned for name in wish.servers or seats)

    def after(self, model: str) -> Mapping[str, float]:
        """The chance of each model to be asked after this one, by what jobs did before."""
        return self._dispatcher.habits.after(canonical(model))

    def at_this_hour(self) -> Mapping[str, float]:
        """The chance of each model to be asked now, by the hours of earlier weeks."""
        return self._dispatcher.habits.at(hour(time.time()))

    def forget(self, job: str) -> None:
        """A job has ended."""
        if job in self._jobs or job in self._tasks:
            self.expect(job, ())

    def is_there(self, wish: Wish) -> bool:
        """Whether a host that works holds the model, or will soon."""
        call = Expected((canonical(wish.model),), wish.servers, wish.window)
        return self._dispatcher.warming.is_there(call, self._dispatcher.now)

    async def _ask(self, job: str, wishes: Callable[[], Sequence[Wish]]) -> None:
        """Ask the hosts what they have and hold, then tell the engine."""
        await self._count()
        known = [(wish, hosts) for wish in wishes() if (hosts := self._having(wish))]
        calls = [await self._expected(wish, hosts) for wish, hosts in known]
        names = {canonical(wish.model): (wish.model, load_options(wish.options)) for wish, _ in known}
        self._dispatcher.expect(job, calls, names)

    async def order(self, wishes: Sequence[Wish], joiner: str) -> Order:
        """When a model should be asked that is asked once more when all of these have answered."""
        await self._count()
        await self._dispatcher.look()
        stage = [Planning(canonical(wish.model), wish.servers, window=wish.window) for wish in wishes]
        calls = self._dispatcher.explainer.forecast([stage], self._dispatcher.now).calls
        models = {call.model for call in calls}
        if not any(models.intersection(call.victims) for call in calls):
            return "any"
        return "last" if any(call.loads for call in calls if call.model == canonical(joiner)) else "first"

    async def _count(self) -> None:
        since, census = self._clock() - CENSUS_SECONDS, self._dispatcher.census
        stale = [seat for seat in self._dispatcher.by_name.values() if seat.counted_at <= since]
        tasks = {asyncio.get_running_loop().create_task(census.count(seat, since)) for seat in stale}
        for task in tasks:  # a host that takes longer is there for the next wish
            self._counts.add(task)
            task.add_done_callback(self._counts.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)

    def _having(self, wish: Wish) -> list[str]:
        """The hosts that have the model, and may be told to load it."""
        seats = [self._dispatcher.by_name[name] for name in wish.servers or self._dispatcher.by_name]
        return [
            seat.name for seat in seats if seat.host.abilities.loads and find(seat.installed, wish.model) and not seat.leaks(wish.model)
        ]

    async def _expected(self, wish: Wish, hosts: Sequence[str]) -> Expected:
        models = (canonical(wish.model),)
        await self._dispatcher.refresh(hosts, models)
        window = self._dispatcher.settle(models, hosts, wish.window, grows=False)
        return Expected(models, tuple(hosts), window, wish.chance)

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *self._counts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
