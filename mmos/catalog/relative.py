"""Decides which models are fast and which are good beside the others of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mmos.catalog import naming
from mmos.catalog.capabilities import Claim, Claims
from mmos.catalog.known import KnownModel

FASTER = 2.0
"""A model is fast if it writes at least so many times as many tokens a second as the slowest one."""
SMALLER = 2.0
"""If speeds are not measured, one is fast that has at most this part of the parameters of the largest: a half."""
NEARLY = 2 / 3
"""A model with this part of the parameters of the largest is as good as that one."""
APART = 1.5
"""If the largest has not so many times the parameters of the smallest, none is better than the others."""
FEWEST = 2
"""Models that a comparison needs."""


@dataclass(frozen=True)
class Beside:
    """The models of a fleet that answer, as far as they are compared."""

    writes: tuple[float, ...]
    """Measured tokens a second."""
    work: tuple[float, ...]
    """Billions of parameters that work on each token."""
    parameters: tuple[float, ...]

    @classmethod
    def of(cls, models: Sequence[KnownModel]) -> Beside:
        there = [model for model in models if is_compared(model)]
        return cls(
            tuple(model.writes for model in there if model.writes),
            tuple(work for model in there if (work := _work(model))),
            tuple(model.parameters for model in there if model.parameters),
        )

    def claims(self, model: KnownModel) -> Claims:
        """What this model is beside the others. Empty: it is not compared, or nothing is known."""
        if not is_compared(model):
            return {}
        found = {"FAST_INFERENCE": self._fast(model), "HIGH_QUALITY": self._good(model)}
        return {name: claim for name, claim in found.items() if claim is not None}

    def _fast(self, model: KnownModel) -> Claim | None:
        if model.writes and len(self.writes) >= FEWEST:
            slowest, middle = min(self.writes), median(self.writes)
            fast = model.writes >= middle and model.writes >= FASTER * slowest
            return Claim(fast, f"it writes {model.writes:.0f} tokens/s, the slowest of {len(self.writes)} models {slowest:.0f}")
        work = _work(model)
        if not work or len(self.work) < FEWEST:
            return None
        largest, middle = max(self.work), median(self.work)
        return Claim(work <= middle and SMALLER * work <= largest, f"it has {work:.3g} of at most {largest:.3g} billion parameters")

    def _good(self, model: KnownModel) -> Claim | None:
        if not model.parameters or len(self.parameters) < FEWEST:
            return None
        smallest, largest = min(self.parameters), max(self.parameters)
        good = largest >= APART * smallest and model.parameters >= NEARLY * largest
        return Claim(good, f"it has {model.parameters:.3g} of at most {largest:.3g} billion parameters")


def is_compared(model: KnownModel) -> bool:
    """Whether it can answer for the others: it is there, it answers, and it does more than write calls."""
    return bool(model.hosts) and model.is_chat and not model.remote and not naming.only_calls(model.name)


def _work(model: KnownModel) -> float | None:
    return naming.active_billions(model.name) or model.parameters
