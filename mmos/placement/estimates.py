"""Takes what the engine has learned of hosts out of it as plain values, and puts it back in a later run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from mmos.placement.copies import Copy
from mmos.placement.ledger import Ledger
from mmos.placement.rates import Rate

Kept: TypeAlias = dict[str, Any]
"""Of JSON. What is missing was never learned."""
LARGEST = 1e18


class Estimates:
    """Speeds are seconds for a token, loads are seconds, memory is bytes. Each speed has the number of its samples."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of_host(self, host: str) -> Kept:
        """What the models in its memory have shown of its size."""
        least, most = self._ledger.hosts[host].memory.learned
        return {name: value for name, value in (("least", least), ("most", most)) if 0 < value < math.inf}

    def of_model(self, host: str, model: str) -> Kept:
        copy = self._ledger.hosts[host].copies[model]
        kept: Kept = {name: list(known) for name, rate, _ in self._rates(copy) if (known := rate.known(host, model))}
        if copy.measured[0]:
            kept["measured"] = list(copy.measured)
        if lengths := self._ledger.lengths.of(model):
            kept["lengths"] = {kind: list(known) for kind, known in lengths.items()}
        return kept

    def recall(self, host: str, memory: object, models: Mapping[str, object]) -> None:
        """Put back what an earlier run learned. What this run has learned already counts more, and values that make no sense do not count."""
        there = self._ledger.hosts[host]
        limits = memory if isinstance(memory, dict) else {}
        there.memory.recall(number(limits.get("least")) or 0.0, number(limits.get("most")) or math.inf)
        for model, kept in models.items():
            if isinstance(kept, dict):
                self._recall(there.copies[model], kept)
        self._ledger.installed(host, {model: copy.need for model, copy in there.copies.items()})  # with their new prices

    def measured(self, host: str, model: str, kept: Mapping[str, object]) -> None:
        """Take what a benchmark measured. It counts more than what this run has learned."""
        copy = self._ledger.hosts[host].copies.get(model)
        if copy is None:
            return
        for name, rate, prior in self._rates(copy):
            if pair := _pair(kept.get(name)):
                rate.recall(host, model, prior, *pair)
        self._ledger.expect(copy)

    def _recall(self, copy: Copy, kept: Kept) -> None:
        for name, rate, prior in self._rates(copy):
            if (pair := _pair(kept.get(name))) and not rate.tried(copy.host.name, copy.model):
                rate.recall(copy.host.name, copy.model, prior, *pair)
        measured = _pair(kept.get("measured"), least=0)
        if measured and not copy.measured[0]:
            copy.measured = measured
        lengths = kept.get("lengths")
        for kind, value in lengths.items() if isinstance(lengths, dict) else ():
            if pair := _pair(value):
                self._ledger.lengths.recall(copy.model, kind, *pair)
        if not copy.flights:
            copy.usual = 0.0

    def _rates(self, copy: Copy) -> Iterator[tuple[str, Rate, float]]:
        """Each with its prior for the copy."""
        ledger, priors = self._ledger, self._ledger.settings.priors
        yield "read", ledger.reads, copy.prior / priors["reading"]
        yield "write", ledger.writes, copy.prior
        yield "load", ledger.loads, 1.0 + copy.need.weights / priors["disk"]


def _pair(value: object, *, least: int = 1) -> tuple[float, int] | None:
    """A quantity and a whole number."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    quantity, count = number(value[0]), value[1]
    is_count = isinstance(count, int) and not isinstance(count, bool) and least <= count < LARGEST
    return (quantity, count) if quantity and is_count else None


def number(value: object) -> float | None:
    """A value from a file, if it is a number that makes sense."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 1e-9 < value < LARGEST
    return float(value) if fits and isinstance(value, int | float) else None
