"""Estimates how much less one side costs than another on the same cases, with an interval by a paired bootstrap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mmos.comparing.pairing import CONFIDENCE

RESAMPLES = 1_000
MOST_GROUPS = 200
"""More cases are first put into so many groups by chance: the sums vary as much, and the work stays small."""


@dataclass(frozen=True)
class Ratio:
    """The cost of the second side as a part of that of the first one."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether one side surely costs less."""
        return self.high < 1 or self.low > 1


def ratio_of(costs: Sequence[tuple[float, float]], chance: random.Random) -> Ratio | None:
    """The ratio of the sums. None: one side cost nothing, or nothing is known."""
    mine, theirs = sum(one for one, _ in costs), sum(other for _, other in costs)
    if mine <= 0 or theirs <= 0:
        return None
    groups = _grouped(costs, chance)
    drawn = sorted(_drawn(groups, chance) for _ in range(RESAMPLES))
    edge = round((1 - CONFIDENCE) / 2 * (RESAMPLES - 1))
    return Ratio(theirs / mine, drawn[edge], drawn[-1 - edge])


def _grouped(costs: Sequence[tuple[float, float]], chance: random.Random) -> Sequence[tuple[float, float]]:
    if len(costs) <= MOST_GROUPS:
        return costs
    mixed = chance.sample(costs, len(costs))
    parts = [mixed[first::MOST_GROUPS] for first in range(MOST_GROUPS)]
    return [(sum(one for one, _ in part), sum(other for _, other in part)) for part in parts]


def _drawn(groups: Sequence[tuple[float, float]], chance: random.Random) -> float:
    """The ratio in a sample of the groups, some of them several times."""
    sample = chance.choices(groups, k=len(groups))
    mine, theirs = sum(one for one, _ in sample), sum(other for _, other in sample)
    return theirs / mine if mine else float("inf")
