"""A race of policies: the same calls on the same hosts, one of which loses its power, and what each lane shows at a moment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmos.names import canonical, same_model
from mmos.placement.policies import OURS
from mmos.rehearsal.host import Host
from mmos.rehearsal.memory import GIB
from mmos.simulation.figures import Standing, loading, standing
from mmos.simulation.fleetfile import Machine, Machines
from mmos.simulation.outages import Outage
from mmos.simulation.replay import ReplayResult
from mmos.simulation.trace import Call

RACERS = (OURS, "least_busy", "warm_first", "round_robin")
FLEET = Path(__file__).parent / "race.yaml"
WORKLOAD = "jobs=24 rate=4/min"


def outage(machines: Machines, calls: Sequence[Call]) -> Outage | None:
    """The power cut of a race: of the largest host that the others can replace. None: every host has a model that no other has."""
    wanted = {canonical(call.model) for call in calls}
    spare = [machine for machine in machines.machines if all(len(machines.having(name)) > 1 for name in wanted & _models(machine))]
    return Outage(max(spare, key=lambda machine: machine.host(1.0).vram_gb or 0.0).name) if spare else None


def _models(machine: Machine) -> set[str]:
    return {canonical(model.name) for model in machine.models}


@dataclass(frozen=True)
class Block:
    """A model in the memory of a host, or on its way there."""

    model: str
    size: float
    """Bytes. It shrinks while the block slides out."""
    loaded: float
    """The share that is already there."""
    answers: int
    """Calls that it answers now."""


@dataclass(frozen=True)
class Bay:
    """The memory of a host."""

    host: str
    capacity: float
    blocks: Sequence[Block]
    powered: bool


@dataclass(frozen=True)
class View:
    """What a lane shows at a moment."""

    standing: Standing
    waiting: int
    """Calls that no host reads yet."""
    bays: Sequence[Bay]


@dataclass(frozen=True)
class _Stay:
    model: str
    size: float
    start: float
    ready: float
    end: float


class Lane:
    """What happened with one policy."""

    def __init__(self, result: ReplayResult) -> None:
        self.policy = result.policy
        self.count = result.call_count
        self.end = max((call.end for call in result.calls), default=0.0)
        self.outage = result.outage
        self._calls = result.calls
        self._stays = {host.name: list(_stays(result, host, self.end)) for host in result.hosts}
        self._loads = [(stay.start, stay.ready) for stays in self._stays.values() for stay in stays]
        self._capacities = {host.name: _capacity(host, self._stays[host.name]) for host in result.hosts}

    @property
    def models(self) -> set[str]:
        return {stay.model for stays in self._stays.values() for stay in stays}

    @property
    def total(self) -> Standing:
        return self.standing(math.inf)

    def standing(self, moment: float) -> Standing:
        return standing(self._calls, self._loads, moment)

    def at(self, moment: float, slide: float) -> View:
        """The view at a moment. A block that leaves is seen to slide out for `slide` seconds."""
        waiting = sum(call.start <= moment < call.work[0] for call in self._calls)
        return View(self.standing(moment), waiting, [self._bay(host, min(moment, self.end), slide) for host in self._stays])

    def _bay(self, host: str, moment: float, slide: float) -> Bay:
        there = [stay for stay in self._stays[host] if stay.start <= moment < stay.end]
        blocks = [self._block(host, stay, moment, slide) for stay in sorted(there, key=lambda stay: stay.start)]
        cut = self.outage is not None and self.outage.host == host and self.outage.span
        return Bay(host, self._capacities[host], blocks, not (cut and cut[0] <= moment < cut[1]))

    def _block(self, host: str, stay: _Stay, moment: float, slide: float) -> Block:
        calls = [call for call in self._calls if call.host == host and call.work[0] <= moment < call.end]
        loaded = (moment - stay.start) / (stay.ready - stay.start) if moment < stay.ready else 1.0
        size = stay.size * min(1.0, (stay.end - moment) / slide)
        return Block(stay.model, size, loaded, sum(same_model(call.call.model, stay.model) for call in calls))


def _stays(result: ReplayResult, host: Host, end: float) -> Iterator[_Stay]:
    """The stays of models on a host. What is there at the end stays."""
    stays = [stay for stay in result.residents.stays if stay.host == host.name]
    for stay, (model, start, ready) in zip(stays, loading(result, host.name), strict=True):
        need = host.need(host.installed[canonical(model)], {"num_ctx": stay.window})
        yield _Stay(model.removesuffix(":latest"), need.size, start, ready, stay.until if stay.until < end else math.inf)


def _capacity(host: Host, stays: Sequence[_Stay]) -> float:
    """The memory of a host in bytes. A host without a limit has room for all that it ever held."""
    return host.vram_gb * GIB if host.vram_gb else sum({stay.model: stay.size for stay in stays}.values())


def ranked(lanes: Sequence[Lane]) -> list[Lane]:
    """The winner first: who lost the fewest calls, and among these who answered soonest."""
    return sorted(lanes, key=lambda lane: (lane.total.lost, lane.total.mean))


def outcome(lanes: Sequence[Lane]) -> dict[str, Any]:
    """What a document says of a race beside its figures: the winner, and the power cut."""
    cut = lanes[0].outage
    return {"winner": ranked(lanes)[0].policy, "outage": asdict(cut) if cut else None}
