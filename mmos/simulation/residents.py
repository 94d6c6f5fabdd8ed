"""Records which models were in the memory of each host and when, and which of them were pushed out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmos.rehearsal.host import Host

BUSY_SECONDS = 0.5
"""Seconds between two checks of the hosts while they work."""
IDLE_SECONDS = 5.0
SLACK = 0.001


@dataclass
class Stay:
    """A model in the memory of a host."""

    host: str
    model: str
    window: int
    since: float
    until: float = 0.0
    evicted: bool = False
    """Whether it was pushed out by another model, or by a window of another size."""


@dataclass
class _Sighting:
    stay: Stay
    expires: float
    busy: bool


class Residents:
    """Checks the hosts regularly, and notes which models were loaded and unloaded."""

    def __init__(self, hosts: Sequence[Host], clock: Callable[[], float]) -> None:
        self.stays: list[Stay] = []
        self._hosts = hosts
        self._clock = clock
        self._began = 0.0
        self._sightings: dict[tuple[str, str, int], _Sighting] = {}

    async def watch(self, began: float) -> None:
        """Check the hosts until it is cancelled."""
        self._began = began
        while True:
            self.look()
            await asyncio.sleep(BUSY_SECONDS if any(host.open for host in self._hosts) else IDLE_SECONDS)

    def look(self) -> None:
        now = self._clock() - self._began
        there: dict[tuple[str, str, int], _Sighting] = {}
        for host in self._hosts:
            for runner in host.residency.loaded():
                key = (host.name, runner.model.full_name, runner.window)
                known = self._sightings.get(key)
                stay = known.stay if known else Stay(*key, since=now)
                there[key] = _Sighting(stay, now + host.residency.seconds_left(runner), runner.users > 0)
                if known is None:
                    self.stays.append(stay)
        for key in self._sightings.keys() - there.keys():
            self._end(self._sightings[key], now)
        self._sightings = there

    def _end(self, sighting: _Sighting, now: float) -> None:
        sighting.stay.until = now
        sighting.stay.evicted = sighting.busy or now < sighting.expires - SLACK

    def close(self) -> None:
        """End the stays of all models that are still in memory."""
        self.look()
        for sighting in self._sightings.values():
            sighting.stay.until = self._clock() - self._began
