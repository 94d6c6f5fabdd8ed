"""The GPU strategies: on which of several hosts a model is loaded, if more than one has room for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.placement.copies import Copy, Host
from mmos.placement.lines import Line


@dataclass(slots=True)
class Candidate:
    """A copy that could be loaded."""

    copy: Copy
    window: int
    victims: tuple[Copy, ...]
    drain: float
    """Until the calls on the victims have ended."""
    busy: float
    """Until nobody waits for the victims any more."""

    @property
    def ready(self) -> float:
        return self.drain + self.copy.load


def _models(host: Host) -> Any:
    return len(host.residents)


def _nothing(host: Host) -> Any:  # noqa: ARG001
    return 0


def _use(host: Host) -> Any:
    return _fullness(host), host.in_flight


def _held(host: Host) -> float:
    return sum(copy.bytes() for copy in host.residents)


def _fullness(host: Host) -> float:
    held = _held(host)
    return held / host.memory.assumed(held)


def _free(host: Host) -> float:
    """Unknown memory counts as none."""
    capacity = host.memory.capacity
    return capacity - _held(host) if math.isfinite(capacity) else 0.0


RANKS: Mapping[str, Callable[[Host], Any]] = {"round_robin": _models, "pack": _nothing, "spread": _use}
"""The host with the lowest rank is chosen, and of equal ones that with the lowest GPU. `auto` is no rank: it weighs the loads in seconds.
`manual` is none either: its calls name one host."""


def preferred(line: Line, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """The candidate that the strategy of a line chooses. Several, the best of equal ones first: then their loads are weighed."""
    if len(candidates) < 2:
        return candidates
    rank = RANKS.get(line.strategy)
    roomy = [one for one in candidates if _has_room(one)] if rank else []
    if not rank or not roomy:
        return sorted(candidates, key=lambda one: -_free(one.copy.host))
    return [min(roomy, key=lambda one: (rank(one.copy.host), *_place(one.copy, line)))]


def _has_room(candidate: Candidate) -> bool:
    host = candidate.copy.host
    return not candidate.victims and _fullness(host) <= host.machine.fullest


def _place(copy: Copy, line: Line) -> tuple[int, int]:
    """The lowest GPU, and of equal ones the first server."""
    hosts, name = line.kind[1], copy.host.name
    return copy.host.machine.gpu, hosts.index(name) if hosts else 0
