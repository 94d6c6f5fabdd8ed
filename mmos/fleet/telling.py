"""Tells the engine what hosts and replies say, in its own words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mmos import messages
from mmos.fleet.seats import Seat
from mmos.hosts.face import Loaded
from mmos.names import canonical
from mmos.placement.facts import Machine, Resident, Usage

SPILLED = 0.95
"""A model with a smaller part in the memory of GPUs does not fit there. Hosts are not exact."""


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
