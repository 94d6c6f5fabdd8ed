"""Measures the difference of two sides on the same cases: its size, its interval, and whether chance explains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance

from mmos.comparing.student import quantile, two_sided

CONFIDENCE = 0.95
POWER = 0.8
"""How likely a comparison with the needed number of cases shows the difference."""
LEAST = 6
"""Fewer cases cannot show a difference, even if one side is right on all and the other on none."""
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_HALVINGS = 60


@dataclass(frozen=True)
class Difference:
    """One side less the other one, as the mean over their cases."""

    cases: int
    mean: float
    low: float
    """The interval that holds the true difference in 95 of 100 comparisons. Infinite for one case with scores of any size."""
    high: float
    p: float
    """How likely a difference of this size is by chance alone."""
    better: int
    """Cases on which the first side is better."""
    worse: int
    exact: bool
    """Whether the cases are right or wrong, or won or lost. Then the test is McNemar's exact test; otherwise Student's."""
    spread: float
    """The variance of the differences, for `needed`."""

    @property
    def ties(self) -> int:
        return self.cases - self.better - self.worse


def difference(values: Sequence[float]) -> Difference:
    """The difference of two sides from their difference on each case. Without a case there is none."""
    if not values:
        raise ValueError("there are no cases")
    better, worse = sum(value > 0 for value in values), sum(value < 0 for value in values)
    if all(value in (-1, 0, 1) for value in values):
        return _of_counts(better, worse, len(values))
    return _of_sizes(values, better, worse)


def _of_counts(better: int, worse: int, cases: int) -> Difference:
    """For cases that are right or wrong, only those count on which the sides differ."""
    low, high = _score_interval(better, worse, cases)
    more, less = (better + 1) / (cases + 2), (worse + 1) / (cases + 2)  # as if one more case had gone either way: nothing is certain
    spread = more + less - (more - less) ** 2
    return Difference(cases, (better - worse) / cases, low, high, sign_test(better, worse), better, worse, True, spread)


def _of_sizes(values: Sequence[float], better: int, worse: int) -> Difference:
    cases, mean = len(values), fmean(values)
    if cases < 2:
        return Difference(cases, mean, -math.inf, math.inf, 1.0, better, worse, False, mean * mean)
    spread, cases_or_more = _spread(values, mean)
    error = math.sqrt(spread / cases_or_more)
    reach = quantile(CONFIDENCE, cases_or_more - 1) * error
    t = mean / error if error else math.inf
    # No test that only knows the signs could give less. It keeps a few equal values from looking certain.
    p = max(two_sided(t, cases_or_more - 1), 2.0 ** (1 - cases))
    return Difference(cases, mean, mean - reach, mean + reach, min(1.0, p), better, worse, False, spread)


def _spread(values: Sequence[float], mean: float) -> tuple[float, int]:
    """The variance of the differences, and of how many values it is.

    Few cases with a difference among many ties say little about the next ones. So two more count, one for each side, as with right and wrong.
    """
    differing = [value * value for value in values if value]
    if len(differing) == len(values):
        return variance(values, mean), len(values)
    usual = math.sqrt(fmean(differing))
    squares = math.fsum((value - mean) ** 2 for value in (*values, usual, -usual))
    return squares / (len(values) + 1), len(values) + 2


def sign_test(better: int, worse: int) -> float:
    """McNemar's exact test: how likely so uneven a split of the cases is, if each side wins one as often as the other."""
    differing, fewer = better + worse, min(better, worse)
    if better == worse:
        return 1.0
    log = math.lgamma(differing + 1) - differing * math.log(2)
    tail = sum(math.exp(log - math.lgamma(count + 1) - math.lgamma(differing - count + 1)) for count in range(fewer + 1))
    return min(1.0, 2 * tail)


def _score_interval(better: int, worse: int, cases: int) -> tuple[float, float]:
    """The interval of Tango (1998) for the difference of two shares on the same cases."""
    if better < worse:
        low, high = _score_interval(worse, better, cases)
        return -high, -low
    mean = (better - worse) / cases

    def bound(far: float, sign: float) -> float:
        near = mean
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            near, far = (middle, far) if sign * _score(better, worse, cases, middle) < Z else (near, middle)
        return near

    return bound(-1.0, 1.0), bound(1.0, -1.0)


def _score(better: int, worse: int, cases: int, true: float) -> float:
    """How many standard errors the counts are from a true difference."""
    linear = (2 * cases - better + worse) * true - better - worse
    root = math.sqrt(max(0.0, linear * linear + 8 * cases * worse * true * (1 - true)))
    error = math.sqrt(max(0.0, cases * ((root - linear) / (2 * cases) + true * (1 - true))))
    distance = better - worse - cases * true
    return distance / error if error else math.copysign(math.inf, distance) if distance else 0.0


def share_interval(scores: Sequence[float]) -> tuple[float, float]:
    """The interval of a mean. Of right and wrong cases it is that of Wilson."""
    cases, mean = len(scores), fmean(scores)
    if all(score in (0, 1) for score in scores):
        middle, reach = mean + Z * Z / (2 * cases), Z * math.sqrt(mean * (1 - mean) / cases + (Z / (2 * cases)) ** 2)
        return max(0.0, (middle - reach) / (1 + Z * Z / cases)), min(1.0, (middle + reach) / (1 + Z * Z / cases))
    if cases < 2:
        return -math.inf, math.inf
    reach = quantile(CONFIDENCE, cases - 1) * math.sqrt(variance(scores, mean) / cases)
    return mean - reach, mean + reach


def needed(found: Difference, size: float) -> int:
    """About how many cases would show a true difference of this size."""
    reach = Z + NormalDist().inv_cdf(POWER)
    return max(LEAST, math.ceil(reach * reach * found.spread / (size * size)))


def adjusted(chances: Sequence[float]) -> list[float]:
    """The chances of several tests, each made larger because one of many is small by luck (Holm)."""
    result, largest = [0.0] * len(chances), 0.0
    for place, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (len(chances) - place) * chances[index]))
        result[index] = largest
    return result
