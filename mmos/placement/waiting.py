"""Estimates how long a new call would wait for a model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mmos.placement.copies import Copy, State
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Line


class Wait(NamedTuple):
    """Until a new call would be sent."""

    seconds: float
    host: str
    """Where it would be sent."""
    loaded: bool
    """Whether the model is in memory there, or is being loaded."""


def expected_wait(ledger: Ledger, lines: Iterable[Line], model: str, hosts: Collection[str], now: float) -> Wait | None:
    """The shortest wait, behind the calls that wait already. None: nobody knows, because it is best where the model was never loaded."""
    copies = ledger.having((model,), hosts)
    serving = [copy for copy in copies if copy.serves]
    ahead = sum(len(line) for line in lines if model in line.kind[0]) / max(1, len(serving))
    waits = [(max(copy.free_at(now, ahead), copy.closed_until - now), copy) for copy in serving]
    waits += [(_until_loaded(copy, now), copy) for copy in copies if copy.state is State.ABSENT]
    seconds, copy = min(waits, key=lambda wait: (wait[0], wait[1].host.name), default=(0.0, None))
    return Wait(seconds, copy.host.name, copy.serves) if copy is not None and _is_known(ledger, copy) and seconds < math.inf else None


def _until_loaded(copy: Copy, now: float) -> float:
    """Seconds until a model could be loaded: its host is open again, the load before it has ended, the models that must leave are idle. Infinite: it does not fit."""
    plan = copy.host.plan
    if copy.is_planned:
        return max(0.0, copy.ready - now)
    begins = max(0.0, copy.closed_until - now, plan.copy.ready - now if plan is not None else 0.0)
    return max(begins, _drained(copy, now)) + copy.load


def _drained(copy: Copy, now: float) -> float:
    """Seconds until there is room for a model, when those that are idle first leave first."""
    kept = [other for other in copy.host.residents if other is not copy]
    drained, size = 0.0, copy.claim(copy.least)
    for end, _, other in sorted((_end(other, now), other.model, other) for other in kept if not other.pinned):
        if copy.host.memory.fits(size, [left.bytes() for left in kept]):
            break
        kept.remove(other)
        drained = max(drained, end)
    return drained if copy.host.memory.fits(size, [left.bytes() for left in kept]) else math.inf


def _end(copy: Copy, now: float) -> float:
    """Seconds until the calls on a copy have ended."""
    return max((flight.sent + flight.send.terms.wait + flight.seconds - now for flight in copy.flights.values()), default=0.0)


def _is_known(ledger: Ledger, copy: Copy) -> bool:
    return copy.serves or ledger.loads.tried(copy.host.name, copy.model)
