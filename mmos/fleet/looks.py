"""Lists the loaded models of hosts for the engine: when it wants to know, and again and again while calls wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mmos.errors import HostError
from mmos.fleet.seats import Seat
from mmos.fleet.telling import residents_of
from mmos.placement.engine import Engine

EVERY = 3.0
"""Seconds of the hosts' time between two looks while calls wait."""
SHORTEST_PAUSE = 0.1
"""Seconds of our time between two such looks at least, however fast the hosts' clocks run."""
PATIENCE = 1.0
"""Seconds that a host has to list its loaded models. A worse placement is better than a call that waits."""


class Looks:
    """The lists that are on their way. `listed` is called after each that came."""

    def __init__(self, seats: Mapping[str, Seat], engine: Engine, now: Callable[[], float], listed: Callable[[], None]) -> None:
        self._seats = seats
        self._engine = engine
        self._now = now
        self._listed = listed
        self.open: dict[str, asyncio.Task[None]] = {}
        """By host."""
        self._timer: asyncio.TimerHandle | None = None

    def at(self, host: str) -> asyncio.Task[None] | None:
        """List the loaded models of a host. Two who need the list at the same time share it. None: the host does not say."""
        seat = self._seats[host]
        if not seat.host.abilities.tells_loaded:
            return None
        if host not in self.open:
            if not seat.residents.may_be_asked(self._now()):
                return None
            seat.residents.asking = self._now()
            self.open[host] = asyncio.get_running_loop().create_task(self._list(seat))
        return self.open[host]

    async def _list(self, seat: Seat) -> None:
        asked = self._now()
        try:
            async with asyncio.timeout(PATIENCE):
                models = await seat.host.ps()
        except (HostError, TimeoutError):
            seat.residents.refusals += 1
            return
        finally:
            del self.open[seat.name]
        seat.residents.listed(models, asked, self._now())
        self._engine.resident(seat.name, residents_of(models), self._now(), asked=asked)
        self._listed()

    def poll(self, hosts: Callable[[], Sequence[str]], scale: float) -> None:
        """Look at these hosts again and again, until there are none. `scale`: seconds of the hosts for one of MMOS."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(EVERY / scale, SHORTEST_PAUSE), self._ring, hosts, scale)

    def _ring(self, hosts: Callable[[], Sequence[str]], scale: float) -> None:
        self._timer = None
        if looked := hosts():
            for host in looked:
                self.at(host)
            self.poll(hosts, scale)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self.open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
