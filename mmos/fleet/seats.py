"""Places calls on hosts. It keeps the state of each host (calls in flight, warm models, failures) and the queue of waiting calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from mmos.errors import HostError
from mmos.fleet.residents import WARM_SECONDS, Residents
from mmos.hosts.face import Host, Installed
from mmos.names import canonical

AHEAD = 1
"""Calls that MMOS sends beyond a host's slots, so that the next call is there when a slot is free. Further calls wait here and may go to another host."""

ILL_SECONDS = 60.0


@dataclass
class Seat:
    """One host as the fleet knows it. It counts by the canonical names of models."""

    host: Host
    slots: int = 1
    time_scale: float = 1.0
    in_flight: Counter[str] = field(default_factory=Counter)
    warm: dict[str, float] = field(default_factory=dict)
    """When each model last answered here."""
    failures: int = 0
    """Failures in a row."""
    failed_at: float = float("-inf")
    installed: dict[str, Installed] | None = None
    counted_at: float = float("-inf")
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    silent: HostError | None = None
    """The error when it was last asked for its models."""
    residents: Residents = field(default_factory=Residents)

    @property
    def name(self) -> str:
        return self.host.name

    def has_room(self, model: str) -> bool:
        return self.in_flight[model] < self.slots + AHEAD

    def is_warm(self, model: str, now: float) -> bool:
        return now - self.warm.get(model, float("-inf")) < WARM_SECONDS / self.time_scale

    def answered(self, model: str, now: float) -> None:
        self.warm[model] = now
        self.residents.used(model, now)
        self.failures = 0

    async def look(self) -> None:
        """Note which models it holds, before a call that may load one."""
        await self.residents.look(self.host, self.time_scale, alone=self.in_flight.total() == 1)

    async def swapped(self, model: str, sent_at: float) -> bool:
        """Whether the load of a call that was sent at `asked` pushed another model out."""
        return await self.residents.swapped(self.host, self.time_scale, model, sent_at)

    def failed(self, now: float) -> None:
        self.failures += 1
        self.failed_at = now

    def is_ill(self, now: float) -> bool:
        """Whether it failed recently. If so, calls prefer other hosts for a while."""
        return self.failures > 0 and now - self.failed_at < ILL_SECONDS / self.time_scale


@dataclass
class SeatRequest:
    """Asks for a place in the queue of a host: the canonical name of the model, the hosts that may serve it, and the host that it prefers."""

    model: str
    hosts: Collection[str]
    last_host: str = ""
    """The last host of its session, which has already read the conversation."""
    urgent: bool = True
    seat: asyncio.Future[Seat] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Seats:
    """Places each call on a host, but only when a host has room for it."""

    def __init__(self, seats: Iterable[Seat], clock: Callable[[], float]) -> None:
        self.by_name = {seat.name: seat for seat in seats}
        self._clock = clock
        self._waiting: list[SeatRequest] = []

    async def take(self, request: SeatRequest) -> Seat:
        """The best seat with room. Waits until there is one."""
        seat = self._best(request)
        if seat is None:
            self._waiting.append(request)
            self._waiting.sort(key=lambda request: not request.urgent)  # a stable sort: first come, first served
            try:
                return await request.seat
            except asyncio.CancelledError:
                self._give_up(request)
                raise
        seat.in_flight[request.model] += 1
        return seat

    def leave(self, seat: Seat, model: str) -> None:
        seat.in_flight[model] -= 1
        self._serve_waiting()

    def _give_up(self, request: SeatRequest) -> None:
        if request in self._waiting:
            self._waiting.remove(request)
        elif request.seat.done() and not request.seat.cancelled():
            self.leave(request.seat.result(), request.model)  # the call got a seat and was cancelled at the same moment

    def _serve_waiting(self) -> None:
        for request in tuple(self._waiting):
            seat = None if request.seat.done() else self._best(request)  # done: cancelled, but still in the queue
            if seat is not None:
                self._waiting.remove(request)
                seat.in_flight[request.model] += 1
                request.seat.set_result(seat)

    def _best(self, request: SeatRequest) -> Seat | None:
        free = [self.by_name[name] for name in request.hosts if self.by_name[name].has_room(request.model)]
        return min(free, key=lambda seat: self._cost(seat, request), default=None)

    def _cost(self, seat: Seat, request: SeatRequest) -> tuple[object, ...]:
        """The order of hosts: those without failures first, then a free slot, the session's host, a loaded model, the fewest calls, the name."""
        now = self._clock()
        busy = seat.in_flight[request.model] >= seat.slots
        return (
            seat.failures if seat.is_ill(now) else 0,
            busy,
            seat.name != request.last_host,
            not seat.is_warm(request.model, now),
            seat.in_flight.total(),
            seat.name,
        )


def find(installed: dict[str, Installed] | None, model: str) -> Installed | None:
    """What a host says about a model, under any spelling of its name."""
    return None if installed is None else installed.get(canonical(model))
