"""Remembers which models a host holds in memory, to find out whether a load pushed one of them out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mmos.errors import HostError
from mmos.hosts.face import Host, Loaded
from mmos.names import canonical

WARM_SECONDS = 240.0
"""By default a host keeps a model for five minutes after its last call. MMOS counts on a little less."""

PATIENCE = 1.0
"""Seconds that a host has to list its loaded models. Missing a swap is better than making a call wait."""


def running_time() -> float:
    """The clock of the fleet: that of the running loop, as its pauses and timers go by it."""
    return asyncio.get_running_loop().time()


@dataclass
class Stay:
    """A model in the memory of a host."""

    keep: float
    """Seconds, on MMOS's clock, that the host keeps it after a call."""
    until: float


@dataclass
class Residents:
    """The memory of one host.

    A swap is a load that pushed another model out of memory. The host does not report swaps. MMOS compares the models before the load with
    those after it. It asks the host only when a load is likely and when one has happened, never around a call to a warm model.
    """

    clock: Callable[[], float] = running_time
    wall: Callable[[], float] = time.time
    _stays: dict[str, Stay] = field(default_factory=dict)
    _known: bool = False
    _loads: dict[str, float] = field(default_factory=dict)
    """When MMOS counted the newest load of each model."""
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, host: Host, time_scale: float, *, alone: bool) -> None:
        """List the models before a load. When other calls run (not `alone`), a load may be under way, and the earlier list is the better one."""
        async with self._looking:
            if self._known and not alone:
                return
            there = await self._list(host, time_scale)
            self._known = there is not None
            self._stays = there or {}

    async def swapped(self, host: Host, time_scale: float, model: str, sent_at: float) -> bool:
        """Whether the load that a call reports pushed a model out. `asked` is when the call was sent. When several calls waited for one load, only one counts it."""
        name = canonical(model)
        async with self._looking:
            if name in self._stays and self._loads.get(name, float("-inf")) > sent_at:
                return False
            now = self._loads[name] = self.clock()
            before = [other for other, stay in self._stays.items() if now < stay.until]
            there = await self._list(host, time_scale) if before else {}
            if there is None or not self._known:
                return False
            keep = WARM_SECONDS / time_scale
            self._stays = {name: Stay(keep, now + keep), **there}
            # A model that was in memory and was loaded again had been pushed out by another client, or had another window.
            return any(other == name or other not in there for other in before)

    def used(self, model: str, now: float) -> None:
        """A call keeps its model in memory for longer."""
        stay = self._stays.get(canonical(model))
        if stay is not None:
            stay.until = now + stay.keep

    async def _list(self, host: Host, time_scale: float) -> dict[str, Stay] | None:
        """The models in memory. None: the host does not say."""
        if not host.abilities.tells_loaded:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                models = await host.ps()
        except (HostError, TimeoutError):
            return None
        now, wall = self.clock(), self.wall()
        seconds = {canonical(loaded.name): _keep(loaded, wall) / time_scale for loaded in models}
        return {name: Stay(keep, now + keep) for name, keep in seconds.items()}


def stays(loaded: Loaded, now: float) -> float | None:
    """Seconds until the host unloads an idle model. Below zero: the model is busy or about to be unloaded. None: the host does not say."""
    try:
        moment = datetime.fromisoformat(loaded.expires_at)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _keep(loaded: Loaded, wall: float) -> float:
    seconds = stays(loaded, wall)
    return seconds if seconds is not None and seconds > 0 else WARM_SECONDS
