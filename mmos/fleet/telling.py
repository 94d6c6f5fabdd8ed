"""Tells the engine what hosts and replies say, in its own words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mmos import messages
from mmos.fleet.seats import Seat
from mmos.hosts.face import Loaded
from mmos.names import canonical
from mmos.placement.estimates import Estimates
from mmos.placement.facts import Machine, Resident, Usage

SPILLED = 0.95
"""A model with a smaller part in the memory of GPUs does not fit there. Hosts are not exact."""

FEW_CALLS = 3
"""A speed that fewer calls have shown is not told to others."""


class Speed(NamedTuple):
    """How fast a model is on a host, as calls have shown. None: they have not shown it."""

    host: str
    model: str
    """Its canonical name."""
    reads: float | None
    """Tokens a second."""
    writes: float | None
    load_seconds: float | None


def machine_of(seat: Seat) -> Machine:
    abilities = seat.host.abilities
    loads = abilities.loads and abilities.tells_loaded
    return Machine(seat.name, seat.slots, seat.memory, loads, seat.unloads, seat.gpu, seat.fullest, seat.keep.pinned)


def residents_of(models: Sequence[Loaded]) -> list[Resident]:
    """The loaded models of a host, for the engine. Only one that is alone shows how large the GPU is: a host loads no model beside one that fills it."""
    return [Resident(canonical(loaded.name), loaded.size, loaded.context_length or 0, _on_gpu(loaded, len(models))) for loaded in models]


def _on_gpu(loaded: Loaded, models: int) -> float:
    return float(loaded.size_vram) if models == 1 and 0 < loaded.size_vram < SPILLED * loaded.size else math.inf


def figures(usage: messages.Usage) -> Usage:
    """The figures of a reply, for the engine."""
    return Usage(
        usage.prompt_tokens,
        usage.prompt_seconds,
        usage.output_tokens,
        usage.output_seconds,
        usage.load_seconds,
        usage.total_seconds,
        usage.cached_tokens,
    )


def speeds_of(seats: Iterable[Seat], estimates: Estimates) -> Iterator[Speed]:
    """What calls have shown of the models that hosts have listed."""
    for seat in seats:
        for model in seat.installed or ():
            kept = estimates.of_model(seat.name, model)
            read, write, load = (_shown(kept.get(name)) for name in ("read", "write", "load"))
            if read or write or load:
                yield Speed(seat.name, model, 1 / read if read else None, 1 / write if write else None, load)


def _shown(known: object) -> float | None:
    """Seconds, if enough calls have shown them."""
    match known:
        case [float() | int() as seconds, int() as count] if count >= FEW_CALLS:
            return float(seconds)
    return None
