"""Says what the fleet knows of the host that would serve the next call to a model, without asking a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.fleet.fleet import Fleet
from mmos.fleet.seats import Seat, find
from mmos.names import canonical
from mmos.placement.memory import GIB


def condition(fleet: Fleet, model: str, servers: tuple[str, ...], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The state of the host that would serve a model next. None: not known yet. `kinds`: the kind of each host."""
    seat = _next(fleet, model, servers)
    standing, busy = fleet.standing(), seat.in_flight.total()
    listed = seat.installed
    return {
        "name": seat.name,
        "kind": kinds.get(seat.name),
        "reachable": seat.silent is None,
        "busy": busy >= seat.slots,
        "queue": standing.waiting.get(canonical(model), 0) + max(0, busy - seat.slots),
        "vram_gb": None if seat.memory is None else seat.memory / GIB,
        "vram_used": standing.used.get(seat.name, 0.0) / GIB,
        "models": None if listed is None else sorted(one.name for one in listed.values()),
        "loaded": sorted(seat.residents.stays),
    }


def _next(fleet: Fleet, model: str, servers: tuple[str, ...]) -> Seat:
    """The host with the shortest wait. If nobody knows that: the first that answers and has the model, or the first of all."""
    seats = {seat.name: seat for seat in fleet.seats if not servers or seat.name in servers}
    best = fleet.delay(model, servers).host
    if best in seats:
        return seats[best]
    able = [seat for seat in seats.values() if seat.silent is None and (seat.installed is None or find(seat.installed, model))]
    return (able or [*seats.values()])[0]
