"""Asks all hosts at once for their state, and waits only a moment for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from mmos.config.schema import Server
from mmos.config.wording import masked
from mmos.errors import HostError, HostTimeout
from mmos.fleet.fleet import Fleet
from mmos.fleet.seats import Seat
from mmos.hosts.face import Abilities, Installed, Loaded
from mmos.names import canonical
from mmos.placement.facts import Planned, Standstill

PATIENCE = 1.5
"""Seconds that a host has for its answer. A healthy host needs milliseconds."""

FOR_EVER_SECONDS = 50 * 365 * 86400.0
"""A longer time until the unload means "for ever": hosts write it as a date centuries away."""

GIB = 1 << 30

Response = TypeVar("Response")


@dataclass(frozen=True)
class HostState:
    """One host, as it was when it was asked."""

    name: str
    url: str
    """The URL without secrets. Empty: it has no address."""
    kind: str
    abilities: Abilities
    vram_gb: float | None
    """As configured."""
    parallel: int
    version: str = ""
    """Empty: it does not say."""
    installed: tuple[Installed, ...] = ()
    loaded: tuple[Loaded, ...] = ()
    error: HostError | None = None
    """Why an answer is missing."""
    reachable: bool = True
    """Whether it lists its models."""
    in_flight: int = 0
    """Calls of this process that are on it now."""
    swaps: int = 0
    """Loads here that pushed another model out, for this process."""
    pinned: Collection[str] = ()
    """Models that MMOS never unloads there for others, by their canonical names."""
    load: Planned | None = None
    """The load that this process has decided and that has not ended."""
    stuck: Standstill | None = None
    """Whether it loads no more, as far as MMOS has noticed."""

    @property
    def vram_bytes(self) -> int | None:
        """The configured memory in bytes."""
        return None if self.vram_gb is None else int(self.vram_gb * GIB)

    @property
    def vram_used(self) -> int:
        return sum(model.size_vram for model in self.loaded)

    def has(self, model: str) -> Installed | None:
        return self._installed_as.get(canonical(model))

    def holds(self, model: str) -> Loaded | None:
        """The model in its memory, under any spelling of its name."""
        return self._loaded_as.get(canonical(model))

    def pins(self, model: str) -> bool:
        return canonical(model) in self.pinned

    @cached_property
    def _installed_as(self) -> Mapping[str, Installed]:
        return {canonical(model.name): model for model in reversed(self.installed)}  # of equal names the first counts

    @cached_property
    def _loaded_as(self) -> Mapping[str, Loaded]:
        return {canonical(model.name): model for model in reversed(self.loaded)}


async def survey(fleet: Fleet, servers: Mapping[str, Server], *, patience: float = PATIENCE) -> tuple[HostState, ...]:
    """The state of all hosts, in the fleet's order. `servers` is the configuration of them."""
    states = await asyncio.gather(*(look(seat, servers[seat.name], patience) for seat in fleet.seats))
    return tuple(beside(fleet, states))


def beside(fleet: Fleet, states: Iterable[HostState]) -> Iterator[HostState]:
    """The states, with what MMOS knows of the hosts itself."""
    standing, kept = fleet.standing(), fleet.kept_stuck()
    loads = {load.host: load for load in standing.loads}
    for state in states:
        before = kept.get(state.name)
        before = None if before is not None and state.holds(before.model) else before  # it went on when nobody looked
        yield replace(state, load=loads.get(state.name), stuck=standing.stuck.get(state.name) or before)


async def look(seat: Seat, server: Server, patience: float = PATIENCE) -> HostState:
    """The state of one host: its models, the loaded models and its version, all asked at once."""
    host = seat.host
    questions = (_within(seat, host.tags(), patience), _within(seat, host.ps(), patience), _within(seat, host.version(), patience))
    installed, loaded, version = await asyncio.gather(*questions)
    replies: Iterable[object] = (installed, loaded) if host.abilities.tells_loaded else (installed,)
    return HostState(
        seat.name,
        masked(host.url),
        server.kind,
        host.abilities,
        server.vram_gb,
        seat.slots,
        version if isinstance(version, str) else "",
        () if isinstance(installed, HostError) else tuple(installed),
        () if isinstance(loaded, HostError) else tuple(loaded),
        next((reply for reply in replies if isinstance(reply, HostError)), None),
        not isinstance(installed, HostError),
        seat.in_flight.total(),
        seat.swaps,
        seat.keep.pinned,
    )


async def _within(seat: Seat, question: Awaitable[Response], patience: float) -> Response | HostError:
    try:
        async with asyncio.timeout(patience):
            return await question
    except HostError as error:
        return error
    except TimeoutError:
        return HostTimeout(
            f"{masked(seat.host.url)} ({seat.name}) did not answer within {patience:g} s.",
            host=seat.name,
            next_step="Is the machine up? A firewall that drops packets looks like this, too, and so does a host that is stuck.",
        )
