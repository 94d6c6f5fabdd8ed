"""Computes the waiting of a queue as if calls were water: how much flows in, and which server drains it from when on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Tap: TypeAlias = tuple[float, float]
"""A server: the second from which on it takes calls, and how many it takes a second."""


def waiting(count: float, arriving: float, taps: Iterable[Tap], horizon: float) -> float:
    """The seconds that all calls wait together until the horizon: `count` now, and `arriving` more each second."""
    level, rate, at, area = count, -arriving, 0.0, 0.0
    for start, speed in [*sorted(taps), (horizon, 0.0)]:
        seconds = (min(horizon, start)) - at
        if seconds > 0.0:
            if rate > 0.0 and level <= rate * seconds:  # it is empty before
                area += level * level / rate / 2.0
                level = 0.0
            else:
                area += (level - rate * seconds / 2.0) * seconds
                level -= rate * seconds
            at += seconds
        rate += speed
    return area


def drained_at(count: float, taps: Iterable[Tap]) -> float:
    """The second at which so many calls have been taken. Infinite without servers."""
    rate, weighted = 0.0, 0.0
    result = float("inf")
    for start, speed in sorted(taps):
        if start >= result:
            break
        rate += speed
        weighted += start * speed
        result = (count + weighted) / rate
    return result
