"""Tells how fast models are on hosts, as calls have shown, and takes what a benchmark measured."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from mmos.fleet.seats import Seat
from mmos.names import canonical
from mmos.placement.estimates import Estimates
from mmos.placement.rates import TRUSTED

FEW_CALLS = 3
"""A speed that fewer calls have shown is not told to others."""


class Speed(NamedTuple):
    """How fast a model is on a host. None: not known."""

    host: str
    model: str
    reads: float | None = None
    """Tokens a second."""
    writes: float | None = None
    load_seconds: float | None = None


class Speeds:
    """The speeds of the models that the hosts have listed."""

    def __init__(self, seats: Collection[Seat], estimates: Estimates) -> None:
        self._seats = seats
        self._estimates = estimates

    def known(self) -> list[Speed]:
        """What enough calls have shown."""
        speeds = [self._of(seat.name, model) for seat in self._seats for model in seat.installed or ()]
        return [speed for speed in speeds if speed.reads or speed.writes or speed.load_seconds]

    def _of(self, host: str, model: str) -> Speed:
        kept = self._estimates.of_model(host, model)
        read, write, load = (_shown(kept.get(name)) for name in ("read", "write", "load"))
        return Speed(host, model, 1 / read if read else None, 1 / write if write else None, load)

    def measured(self, speed: Speed) -> None:
        """Take what a benchmark measured. It counts as several calls, and more than what calls have shown before."""
        seat = next((seat for seat in self._seats if seat.name == speed.host), None)
        if seat is None or canonical(speed.model) not in (seat.installed or {}):
            return
        seconds = {"read": _inverse(speed.reads), "write": _inverse(speed.writes), "load": speed.load_seconds}
        kept = {name: [value, TRUSTED] for name, value in seconds.items() if value}
        self._estimates.measured(speed.host, canonical(speed.model), kept)


def _inverse(rate: float | None) -> float | None:
    return 1 / rate if rate else None


def _shown(known: object) -> float | None:
    """Seconds, if enough calls have shown them."""
    match known:
        case [float() | int() as seconds, int() as count] if count >= FEW_CALLS:
            return float(seconds)
    return None
