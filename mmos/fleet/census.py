"""Knows which models each host has, how much memory they need there, and which windows the configuration gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

from mmos.config.windows import Windows
from mmos.errors import HostError
from mmos.fleet import memory
from mmos.fleet.learned import Learned
from mmos.fleet.seats import Seat, find
from mmos.hosts.face import Card, Installed
from mmos.names import canonical
from mmos.placement.engine import Engine
from mmos.placement.facts import Need, Standstill

CARD_SECONDS = 10.0
"""Seconds that a host has to describe a model. Calls do not wait that long for it."""
UNKNOWN_SIZE = 5e9
"""The bytes that MMOS plans for a model whose size it does not know."""

NEVER = float("-inf")
CENSUS_SECONDS = 60.0
"""A list of the models of a host that is older than that is renewed before it is used."""

Result = TypeVar("Result")


class Census:
    """Tells the engine what is on the hosts. A model is described once on each host, when a call first asks for it."""

    def __init__(
        self, seats: Mapping[str, Seat], engine: Engine, clock: Callable[[], float], windows: Windows | None, learned: Learned | None
    ) -> None:
        self._seats = seats
        self._engine = engine
        self._clock = clock
        self._windows = windows
        self._learned = learned
        self._needs: dict[str, dict[str, Need]] = {name: {} for name in seats}
        self.has_choices = len(seats) > 1
        """Whether there is anything to choose: with one host and one model, nothing depends on what is in its memory."""
        self._cards: dict[tuple[str, str], Card] = {}
        self._asked: dict[tuple[str, str], asyncio.Task[Card | None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def count(self, seat: Seat, since: float) -> None:
        """List the models of a host, if that was not done since then."""
        async with seat.counting:  # of several tasks that need the list, one asks the host
            if seat.counted_at > since:
                return
            try:
                seat.installed, seat.silent = {canonical(model.name): model for model in await seat.host.tags()}, None
                self._counted(seat)
            except HostError as error:
                seat.installed, seat.silent = None, error
            seat.counted_at = self._clock()

    async def digests(self, model: str, servers: Sequence[str]) -> dict[str, str]:
        """The digest of a model on each of these hosts that has it, empty for a host that is silent; without `servers` on all hosts.

        A host that reports no digest gets one of its address.
        """
        seats, since = [self._seats[name] for name in servers or self._seats], self._clock() - CENSUS_SECONDS
        await asyncio.gather(*(self.count(seat, since) for seat in seats if seat.counted_at <= since))
        having = {seat.name: known.digest or _stand_in(seat, known) for seat in seats if (known := find(seat.installed, model))}
        return {seat.name: having.get(seat.name, "") for seat in seats if seat.name in having or seat.silent is not None}

    def _counted(self, seat: Seat) -> None:
        listed = seat.installed or {}
        self._asked = {key: task for key, task in self._asked.items() if key[0] != seat.name or key in self._cards or not task.done()}
        self._needs[seat.name] |= {model: self._need(seat, installed) for model, installed in listed.items()}
        self._tell(seat.name)
        if self._learned is not None:
            self._learned.recall(seat, self._engine, self._clock() * seat.time_scale)

    def kept_stuck(self) -> dict[str, Standstill]:
        return {} if self._learned is None else self._learned.stuck(self._seats.values())

    def _tell(self, host: str) -> None:
        """The engine learns what a host has."""
        self._engine.installed(host, self._needs[host])
        self.has_choices |= len(self._needs[host]) > 1

    def keep(self) -> None:
        """Write down now and then what was learned."""
        if self._learned is not None:
            self._learned.write_now_and_then([*self._seats.values()], self._engine)

    def knows(self, host: str, model: str) -> bool:
        return model in self._needs[host]

    def know(self, host: str, models: Sequence[str]) -> None:
        """A call asks for one of these models on a host. One that has listed none of them may have the first."""
        needs = self._needs[host]
        if not any(model in needs for model in models):
            needs[models[0]] = self._need(self._seats[host], find(self._seats[host].installed, models[0]) or Installed(models[0]))
            self._tell(host)
        if self._windows is None:
            return
        for model in models:
            if model in needs and (window := self._windows.known(model, (host,))):
                self._engine.profiles.reserve(host, model, window)

    def _need(self, seat: Seat, model: Installed) -> Need:
        card = self._cards.get(_key(seat, model))
        token = memory.claimed(card.details, seat.slots) if card else 0
        longest = (card and card.context_length) or model.context_length or 0
        told = seat.keep.sizes.get(canonical(model.name), 0.0) * memory.GIB
        return Need(model.size or told or UNKNOWN_SIZE, token, memory.OVERHEAD, longest, told)

    # ------------------------------------------------------------ what hosts say about single models

    def learn(self, host: str, model: str) -> asyncio.Task[None] | None:
        """Ask a host for the size of a model. None: it is known, or the host did not say it a while ago."""
        seat = self._seats[host]
        listed = find(seat.installed, model)
        if seat.counted_at > NEVER and (listed is None or _key(seat, listed) in self._asked or not self._matters(seat)):
            return None
        return self._start(self._learn(seat, model))

    async def _learn(self, seat: Seat, model: str) -> None:
        await self.count(seat, NEVER)
        listed = find(seat.installed, model)
        if listed is not None and self._matters(seat):
            await self.card(seat, listed)

    def _matters(self, seat: Seat) -> bool:
        return seat.host.abilities.loads and (seat.memory is not None or len(self._needs[seat.name]) > 1)

    async def card(self, seat: Seat, model: Installed) -> Card | None:
        """What a host says about a model. None: it did not say."""
        key = _key(seat, model)
        if key not in self._asked:
            self._asked[key] = self._start(self._describe(seat, model))
        return await asyncio.shield(self._asked[key])

    async def _describe(self, seat: Seat, model: Installed) -> Card | None:
        try:
            async with asyncio.timeout(CARD_SECONDS):
                card = self._cards[_key(seat, model)] = await seat.host.show(model.name)
        except (HostError, TimeoutError):
            return None
        self._needs[seat.name][canonical(model.name)] = self._need(seat, model)
        self._tell(seat.name)
        return card

    def _start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._learned is not None:
            self._learned.write([*self._seats.values()], self._engine)


def _stand_in(seat: Seat, model: Installed) -> str:
    """Names a model whose host reports no digest. The address may contain a password, so nobody keeps it."""
    return blake2b(f"{canonical(model.name)} {seat.name} {seat.host.url}".encode(), digest_size=16).hexdigest()


def _key(seat: Seat, model: Installed) -> tuple[str, str]:
    return seat.name, model.digest or model.name
