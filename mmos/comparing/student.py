"""Computes the distribution of Student's t, which the standard library lacks."""

from __future__ import annotations

import math
from functools import lru_cache

_STEPS = 300
_TINY = 1e-300
_EXACT = 1e-14


def two_sided(t: float, freedom: float) -> float:
    """How likely a t at least this far from 0 is, when there is no difference."""
    if math.isinf(t):
        return 0.0
    return _beta(freedom / (freedom + t * t), freedom / 2, 0.5)


@lru_cache(maxsize=256)
def quantile(confidence: float, freedom: float) -> float:
    """The t that is exceeded on either side with the rest of this confidence: 0.95 gives 1.96 for many degrees of freedom."""
    low, high = 0.0, 2.0
    while two_sided(high, freedom) > 1 - confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if two_sided(middle, freedom) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below
        return 1 - _beta(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)) / a
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, by the method of Lentz."""
    upper, lower = 1.0, _inverse(1 - (a + b) * x / (a + 1))
    value = lower
    for step in range(1, _STEPS):
        for factor in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            upper, lower = 1 + factor / (upper or _TINY), _inverse(1 + factor * lower)
            value *= upper * lower
        if abs(upper * lower - 1) < _EXACT:
            break
    return value


def _inverse(number: float) -> float:
    return 1 / (number or _TINY)
