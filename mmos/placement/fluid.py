"""Computes the waiting of a queue as if calls were water: how much flows in, and which server drains it from when on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Tap: TypeAlias = tuple[float, float]
"""A server: the second from which on it takes calls, and how many it takes a second."""


def waiting(count: float, arriving: float, taps: Iterable[Tap], horizon: float) -> float:
    """The seconds that all calls wait together until the horizon: `count` now, and `arriving` more each second."""
    level, rate, at, area = count, -arriving, 0.0, 0.0
    for start, speed in sorted(taps):
        if start >= horizon:
            break
        if start > at:
            level, spent = _drained(level, rate, start - at)
            area += spent
            at = start
        rate += speed
    return area + _drained(level, rate, horizon - at)[1]


def _drained(level: float, rate: float, seconds: float) -> tuple[float, float]:
    """The level after some seconds, and the waiting during them."""
    if rate <= 0.0:
        return level - rate * seconds, level * seconds - rate * seconds * seconds / 2.0
    empty = level / rate
    if empty <= seconds:
        return 0.0, level * empty / 2.0
    return level - rate * seconds, level * seconds - rate * seconds * seconds / 2.0


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
