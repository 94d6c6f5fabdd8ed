"""Says how long a model keeps a new call waiting, for callers that can choose another model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mmos.fleet.seats import Seat
from mmos.placement.waiting import Wait


class Delay(NamedTuple):
    """The wait of a new call."""

    seconds: float | None
    """None: nobody knows."""
    loaded: bool = False
    """Whether the model is in memory."""
    remote: bool = False
    """Whether a server of the kind `openai` would serve it."""
    host: str = ""
    """Which host would serve it. Empty: nobody knows."""


def delay_of(wait: Wait | None, seats: Mapping[str, Seat]) -> Delay:
    if wait is None:
        return Delay(None)
    seat = seats[wait.host]
    return Delay(wait.seconds / seat.time_scale, wait.loaded, not seat.host.abilities.tells_loaded, wait.host)
