"""Keeps what the fleet knows of each host: its models, those in memory, and the calls on it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmos.config.keeping import Keep
from mmos.errors import HostError
from mmos.fleet.residents import WARM_SECONDS, Residents
from mmos.fleet.waking import Waker
from mmos.hosts.face import Host, Installed
from mmos.names import canonical, is_cloud


@dataclass
class Seat:
    """One host as the fleet knows it. It counts by the canonical names of models."""

    host: Host
    slots: int = 1
    time_scale: float = 1.0
    memory: float | None = None
    """Its bytes for models, as configured."""
    allow_cloud: bool = False
    """Whether prompts may leave through it, to a model that runs in a cloud."""
    waker: Waker | None = None
    unloads: bool = True
    """Whether MMOS may unload a model there to make room for another."""
    gpu: int = 0
    """The lowest number of its GPUs."""
    pace: float = 1.0
    """Its seconds in a second of the fleet's clock. Other than 1 only if its time runs faster than that of other hosts."""
    fullest: float = 1.0
    """The part of its memory that may be in use, if a GPU strategy is to choose it for one more model."""
    keep: Keep = field(default_factory=Keep)
    """What the configuration keeps in its memory."""
    in_flight: Counter[str] = field(default_factory=Counter)
    warm: dict[str, float] = field(default_factory=dict)
    """When each model last answered here."""
    installed: dict[str, Installed] | None = None
    counted_at: float = float("-inf")
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    silent: HostError | None = None
    """The error when it was last asked for its models."""
    residents: Residents = field(default_factory=Residents)
    swaps: int = 0
    """Loads here that pushed another model out, as far as MMOS saw."""

    @property
    def name(self) -> str:
        return self.host.name

    def is_warm(self, model: str, now: float) -> bool:
        return now - self.warm.get(model, float("-inf")) < WARM_SECONDS / self.time_scale

    def answered(self, model: str, now: float) -> None:
        self.warm[model] = now
        self.silent = None
        self.residents.used(model, now * self.time_scale)

    def leaks(self, model: str) -> bool:
        """Whether it would send the prompts of a model to a cloud, and may not. Other kinds of hosts are asked as they are configured."""
        if self.allow_cloud or not self.host.abilities.tells_loaded:
            return False
        listed = find(self.installed, model)
        return is_cloud(model) or (listed is not None and listed.remote)


def first_having(seats: Sequence[Seat], models: Sequence[str]) -> tuple[str, ...]:
    """The name of the first host that has one of these models, or has not listed its models. If none has, the first one says so itself."""
    having = (seat for seat in seats if seat.installed is None or any(find(seat.installed, model) for model in models))
    return (next(having, seats[0]).name,)


def find(installed: dict[str, Installed] | None, model: str) -> Installed | None:
    """What a host says about a model, under any spelling of its name."""
    return None if installed is None else installed.get(canonical(model))
