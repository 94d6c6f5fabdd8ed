"""Estimates how long a new call would wait for a model."""

from __future__ import annotations

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
    copies = [copy for copy in ledger.having((model,), hosts) if copy.closed_until <= now]
    serving = [copy for copy in copies if copy.serves]
    ahead = sum(len(line) for line in lines if model in line.kind[0]) / max(1, len(serving))
    waits = [(copy.free_at(now, ahead), copy) for copy in serving]
    waits += [(copy.load, copy) for copy in copies if copy.state is State.ABSENT]
    seconds, copy = min(waits, key=lambda wait: (wait[0], wait[1].host.name), default=(0.0, None))
    return Wait(seconds, copy.host.name, copy.serves) if copy is not None and _is_known(ledger, copy) else None


def _is_known(ledger: Ledger, copy: Copy) -> bool:
    return copy.serves or ledger.loads.tried(copy.host.name, copy.model)
