"""The state of each host: calls in flight, warm models and failures; and the queue of calls that wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from mmos.errors import HostError
from mmos.fleet.residents import WARM_SECONDS, Residents
from mmos.hosts.face import Host, Installed
from mmos.hosts.names import canonical

AHEAD = 1
"""Calls sent beyond a host's slots: the next one is there when a slot falls free, the others may still go elsewhere."""

ILL_SECONDS = 60.0


@dataclass
class Seat:
    """One host as the fleet knows it."""

    host: Host
    slots: int = 1
    time_scale: float = 1.0
    in_flight: Counter[str] = field(default_factory=Counter)
    warm: dict[str, float] = field(default_factory=dict)
    """When each model last answered here."""
    failures: int = 0
    """In a row."""
    failed_at: float = float("-inf")
    installed: dict[str, Installed] | None = None
    counted_at: float = float("-inf")
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    silent: HostError | None = None
    """Why it could not say what it has, when it was last asked."""
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
        """See what it holds before a call that may load a model."""
        await self.residents.look(self.host, self.time_scale, alone=self.in_flight.total() == 1)

    async def swapped(self, model: str, asked: float) -> bool:
        """Whether the load of a call that was sent then pushed another model out."""
        return await self.residents.swapped(self.host, self.time_scale, model, asked)

    def failed(self, now: float) -> None:
        self.failures += 1
        self.failed_at = now

    def is_ill(self, now: float) -> bool:
        """It failed of late: others go first, and after a while it gets another chance."""
        return self.failures > 0 and now - self.failed_at < ILL_SECONDS / self.time_scale


@dataclass
class Wish:
    """A call that waits for a seat: which model, where it may go, where it would rather go."""

    model: str
    allowed: Collection[str]
    liked: str = ""
    """Where its session was last: the host has read its past already."""
    urgent: bool = True
    placed: asyncio.Future[Seat] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Seats:
    """Places calls on hosts, each as late as it can: when a host has room for it."""

    def __init__(self, seats: Iterable[Seat], clock: Callable[[], float]) -> None:
        self.by_name = {seat.name: seat for seat in seats}
        self._clock = clock
        self._waiting: list[Wish] = []

    async def take(self, wish: Wish) -> Seat:
        """The best seat that has room, now or as soon as one has."""
        seat = self._best(wish)
        if seat is None:
            self._waiting.append(wish)
            self._waiting.sort(key=lambda waiting: not waiting.urgent)  # stable: first come first served
            try:
                return await wish.placed
            except asyncio.CancelledError:
                self._give_up(wish)
                raise
        seat.in_flight[wish.model] += 1
        return seat

    def leave(self, seat: Seat, model: str) -> None:
        seat.in_flight[model] -= 1
        self._serve_waiting()

    def _give_up(self, wish: Wish) -> None:
        if wish in self._waiting:
            self._waiting.remove(wish)
        elif wish.placed.done() and not wish.placed.cancelled():
            self.leave(wish.placed.result(), wish.model)  # the place came together with the cancellation

    def _serve_waiting(self) -> None:
        for wish in tuple(self._waiting):
            seat = None if wish.placed.done() else self._best(wish)  # one that is cancelled may not have heard of it yet
            if seat is not None:
                self._waiting.remove(wish)
                seat.in_flight[wish.model] += 1
                wish.placed.set_result(seat)

    def _best(self, wish: Wish) -> Seat | None:
        free = [self.by_name[name] for name in wish.allowed if self.by_name[name].has_room(wish.model)]
        return min(free, key=lambda seat: self._cost(seat, wish), default=None)

    def _cost(self, seat: Seat, wish: Wish) -> tuple[object, ...]:
        """Hosts that failed come last; then who has a slot free, who remembers the session, who holds the model, who has the least to do."""
        now = self._clock()
        busy = seat.in_flight[wish.model] >= seat.slots
        return (
            seat.failures if seat.is_ill(now) else 0,
            busy,
            seat.name != wish.liked,
            not seat.is_warm(wish.model, now),
            seat.in_flight.total(),
            seat.name,
        )


def find(installed: dict[str, Installed] | None, model: str) -> Installed | None:
    """What a host says of a model, under whatever spelling of its name."""
    return None if installed is None else installed.get(key(model))


def key(model: str) -> str:
    """Under which a host's models are found: it does not tell capitals apart."""
    return canonical(model).casefold()
