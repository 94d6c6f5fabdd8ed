"""Remembers which models a host holds in memory, as it last listed them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mmos.hosts.face import Loaded
from mmos.names import canonical

WARM_SECONDS = 240.0
"""By default a host keeps a model for five minutes after its last call. MMOS counts on a little less."""


FIRST_REFUSAL = 3.0
LONGEST_REFUSAL = 300.0
"""Seconds after which a host is asked again that did not list its loaded models: longer each time."""


def running_time() -> float:
    """The clock of the fleet: that of the running loop, as its pauses and timers go by it."""
    return asyncio.get_running_loop().time()


@dataclass
class Stay:
    """A model in the memory of a host."""

    keep: float
    """Seconds that the host keeps it after a call."""
    until: float


@dataclass
class Residents:
    """The memory of one host. All times are seconds on the host's clock."""

    wall: Callable[[], float] = time.time
    asked: float = -math.inf
    """When the host was asked for this list, and for the one that has not come yet."""
    asking: float = -math.inf
    refusals: int = 0
    """How many times in a row it did not list them."""
    stays: Mapping[str, Stay] = field(default_factory=dict)
    """The models that it holds. A change makes a new mapping."""

    def listed(self, models: Iterable[Loaded], asked: float, now: float) -> None:
        wall = self.wall()
        self.asked, self.refusals = asked, 0
        self.stays = {canonical(loaded.name): Stay(keep := _keep(loaded, wall), now + keep) for loaded in models}

    def may_be_asked(self, now: float) -> bool:
        """Whether the host may be asked for its list. One that refuses it again and again is asked seldom."""
        return not self.refusals or now >= self.asking + min(LONGEST_REFUSAL, FIRST_REFUSAL * 2.0 ** (self.refusals - 1))

    def used(self, model: str, now: float) -> None:
        """A call keeps its model in memory for longer."""
        stay = self.stays.get(model)
        if stay is not None:
            stay.until = now + stay.keep

    def loaded(self, model: str, now: float) -> None:
        """A reply reports a load."""
        if model not in self.stays:
            self.stays = {**self.stays, model: Stay(WARM_SECONDS, now + WARM_SECONDS)}


def stays(loaded: Loaded, now: float) -> float | None:
    """Seconds until the host unloads an idle model. Below zero: the model is busy or about to be unloaded. None: the host does not say."""
    try:
        moment = datetime.fromisoformat(loaded.expires_at)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _keep(loaded: Loaded, wall: float) -> float:
    seconds = stays(loaded, wall)
    return seconds if seconds is not None and seconds > 0 else WARM_SECONDS
