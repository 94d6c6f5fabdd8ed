"""Tells the hosts now and then how long to keep their idle models, so that they unload what is needed least."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from mmos.errors import HostError
from mmos.fleet.seats import Seat
from mmos.hosts.face import Timeouts
from mmos.placement.engine import Engine
from mmos.placement.habits import Hour

EVERY = 30.0
"""Seconds of the hosts' time between two looks at what they hold."""


class Keeping:
    """What each host was told of its models. Calls to a loaded model tell it nothing: that could revive one that must leave."""

    def __init__(
        self,
        seats: Mapping[str, Seat],
        engine: Engine,
        names: Mapping[str, tuple[str, Mapping[str, Any]]],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._seats = seats
        self._engine = engine
        self._names = names
        self._start = start
        self._told: dict[tuple[str, str], float | str | None] = {}
        self._telling: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.due = 0.0
        """When to look next, in the hosts' seconds."""

    def at_load(self, seat: Seat, model: str) -> str | float | None:
        """What goes with the load of a model: what the configuration says, or what seems right. None: as the host decides."""
        chosen = seat.keep.times.get(model)
        if chosen is None:
            chosen = self._engine.keeping.at_load(seat.name, model, hour(time.time()))
        self._told[seat.name, model] = chosen
        return chosen

    def review(self, now: float) -> None:
        """Tell the hosts what has changed. It costs a small request for each change, in a task of its own."""
        self.due = now + EVERY
        for copy, seconds in self._engine.keeping.changes(hour(time.time()), now):
            key = copy.host.name, copy.model
            seat, known = self._seats[copy.host.name], self._names.get(copy.model)
            if known is None or self._told.get(key) == seconds or copy.model in seat.keep.times or key in self._telling:
                continue
            self._told[key] = seconds
            task = self._telling[key] = self._start(self._tell(seat, known, copy.window, seconds))
            task.add_done_callback(lambda _, key=key: self._telling.pop(key))  # type: ignore[misc]

    async def _tell(self, seat: Seat, known: tuple[str, Mapping[str, Any]], window: int, seconds: float) -> None:
        name, options = known
        try:
            await seat.host.preload(name, num_ctx=window, options=options, keep_alive=seconds, timeouts=Timeouts().scaled(seat.time_scale))
        except HostError:
            return  # the next call will tell what is wrong with the host

    async def told(self, host: str, model: str) -> None:
        """Wait for what is being said of a model. If it came after an unload, it would load the model again."""
        if (task := self._telling.get((host, model))) is not None:
            await asyncio.wait([task])


def hour(wall: float) -> Hour:
    """The hour of the week, as the clock on the wall shows it."""
    return Hour.of(wall + time.localtime(wall).tm_gmtoff)
