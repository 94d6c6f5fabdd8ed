"""Counts swaps: loads that pushed another model out of memory. MMOS unloaded that one for the load, or the host did."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mmos.fleet.place import Place
from mmos.fleet.residents import Stay
from mmos.fleet.seats import Seat

FRESH = 1.0
"""A list of loaded models that was asked for so many seconds ago shows what was in memory before a load."""

Look = Callable[[str], asyncio.Task[None] | None]
"""Lists the loaded models of a host. None: the host does not say."""


@dataclass
class Swaps:
    """The loads of a fleet. The host does not report swaps: MMOS compares the models before a load with those after it.

    It asks the host only when a load is likely and when one has happened, never around a call to a warm model.
    """

    look: Look
    now: Callable[[], float]
    """In the hosts' seconds."""
    _before: dict[tuple[str, str], Mapping[str, Stay]] = field(default_factory=dict)
    """What was in memory before a load of each host and model."""
    _counted: dict[tuple[str, str], float] = field(default_factory=dict)
    """When the newest load of each was counted."""
    untold: Counter[str] = field(default_factory=Counter)
    """For each host, the swaps that no reply has reported yet."""

    async def foresee(self, seat: Seat, model: str, *, alone: bool) -> None:
        """Note what a host holds, before a call that may load a model. When other calls run there (not `alone`), the load may be under way, and an earlier note counts."""
        if math.isinf(seat.residents.asked) or (alone and self.now() - seat.residents.asked > FRESH):
            await self._list(seat, self.now())
        if alone or (seat.name, model) not in self._before:
            self._before[seat.name, model] = seat.residents.stays

    async def told(self, place: Place, *, loaded: bool) -> bool:
        """Whether a reply reports a swap: that of its own load, if it was `loaded`, or one for which no call waited."""
        seat, model = place.seat, place.send.model
        if loaded:
            self._before.setdefault((seat.name, model), place.held)
            await self.ended(seat, model, place.sent, emptied=place.emptied, since=place.begun)
        if not self.untold.get(seat.name):
            return False
        self.untold[seat.name] -= 1
        return True

    async def ended(self, seat: Seat, model: str, sent: float, *, emptied: bool, since: float | None = None) -> None:
        """Count a load. When several calls waited for one, it counts once. `emptied`: MMOS unloaded a model for it. `since`: it had ended by then."""
        key, before = (seat.name, model), self._before.pop((seat.name, model), {})
        if self._counted.get(key, -math.inf) > sent:
            return
        self._counted[key] = self.now()
        found = emptied or (bool(before) and await self._has_left(seat, model, before, self.now() if since is None else since))
        seat.residents.loaded(model, self.now())
        seat.swaps += found
        self.untold[seat.name] += found

    async def _has_left(self, seat: Seat, model: str, before: Mapping[str, Stay], since: float) -> bool:
        """Whether one of the models that were there before was pushed out.

        A model that was in memory and was loaded again had been pushed out by another client, or had another window.
        """
        await self._list(seat, since)
        there = [name for name, stay in before.items() if self.now() < stay.until]
        return seat.residents.asked >= since and any(name == model or name not in seat.residents.stays for name in there)

    async def _list(self, seat: Seat, since: float) -> None:
        """Have a list that was asked for after a moment, unless the host does not answer."""
        while seat.residents.asked < since and (look := self.look(seat.name)) is not None:
            is_late = seat.residents.asking >= since
            await asyncio.wait([look])
            if is_late:
                return
