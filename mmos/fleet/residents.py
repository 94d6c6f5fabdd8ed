"""Which models a host holds, as far as it was last seen: enough to say whether a load pushed one of them out of memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mmos.errors import HostError
from mmos.hosts.face import Host, Loaded
from mmos.hosts.names import canonical

WARM_SECONDS = 240.0
"""A host keeps a model for five minutes after its last call, unless told otherwise."""

PATIENCE = 1.0
"""Seconds that a host has to list what it holds. A swap that was not counted is better than a call that waits."""


@dataclass
class Stay:
    """A model in the memory of a host."""

    keep: float
    """Seconds, on our clock, that the host keeps it after a call."""
    until: float


@dataclass
class Residents:
    """The memory of one host.

    A swap is a load that a model had to leave for. The host does not report it. We compare what it held before the load with what it
    holds afterwards. It is asked for a list only when a load is likely and when one has happened, never around a call to a warm model.
    """

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _held: dict[str, Stay] = field(default_factory=dict)
    _known: bool = False
    _loads: dict[str, float] = field(default_factory=dict)
    """When the newest load of each model was counted."""
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, host: Host, time_scale: float, *, alone: bool) -> None:
        """See what is there before a load. Beside other calls (not `alone`), a load may be going on: then the earlier list is the better one."""
        async with self._looking:
            if self._known and not alone:
                return
            there = await self._listed(host, time_scale)
            self._known = there is not None
            self._held = there or {}

    async def swapped(self, host: Host, time_scale: float, model: str, asked: float) -> bool:
        """Whether the load that a call reports pushed a model out. `asked` is when the call was sent: of calls that waited for one load, one counts it."""
        name = _key(model)
        async with self._looking:
            if name in self._held and self._loads.get(name, float("-inf")) > asked:
                return False
            now = self._loads[name] = self.clock()
            before = [other for other, stay in self._held.items() if now < stay.until]
            there = await self._listed(host, time_scale) if before else {}
            if there is None or not self._known:
                return False
            keep = WARM_SECONDS / time_scale
            self._held = {name: Stay(keep, now + keep), **there}
            # A model that was there and had to be loaded again was pushed out by a client that we do not see, or by another window.
            return any(other == name or other not in there for other in before)

    def used(self, model: str, now: float) -> None:
        """A call keeps its model in memory for longer."""
        stay = self._held.get(_key(model))
        if stay is not None:
            stay.until = now + stay.keep

    async def _listed(self, host: Host, time_scale: float) -> dict[str, Stay] | None:
        """None where the host does not tell."""
        if not host.abilities.tells_loaded:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                listed = await host.ps()
        except (HostError, TimeoutError):
            return None
        now, wall = self.clock(), self.wall()
        kept = {_key(loaded.name): _keep(loaded, wall) / time_scale for loaded in listed}
        return {name: Stay(keep, now + keep) for name, keep in kept.items()}


def stays(loaded: Loaded, now: float) -> float | None:
    """Seconds until an idle model is unloaded, on the host's own clock; below zero it is busy or about to go. None: the host does not say."""
    try:
        moment = datetime.fromisoformat(loaded.expires_at)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _keep(loaded: Loaded, wall: float) -> float:
    left = stays(loaded, wall)
    return left if left is not None and left > 0 else WARM_SECONDS


def _key(model: str) -> str:
    return canonical(model).casefold()
