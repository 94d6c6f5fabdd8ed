"""Provides an event loop with simulated time: when nothing is left to do, its clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any

LONG_LEAP = 1.0
"""Seconds. Before a longer jump the loop waits a moment for data on the sockets."""
MOMENT = 0.002


class _Leaping(selectors.DefaultSelector):
    """Checks the sockets and never waits for a timer."""

    ahead = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(None)
        ready = super().select(MOMENT if timeout > LONG_LEAP else 0)
        if not ready:
            self.ahead += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """Starts at second 0. Only timers let time pass, so the same work takes the same time every time."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.ahead


class _Hurried(selectors.DefaultSelector):
    """Waits only a part of each timeout."""

    pace = 1.0

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self.pace if timeout else timeout)


class HurriedLoop(asyncio.SelectorEventLoop):
    """Starts at second 0. Its time runs `pace` times as fast as real time."""

    def __init__(self, pace: float) -> None:
        hurried = _Hurried()
        hurried.pace = pace
        self._pace = pace
        self._began = time.monotonic()
        super().__init__(hurried)

    def time(self) -> float:
        return (time.monotonic() - self._began) * self._pace


def loop_for(pace: float | None) -> asyncio.AbstractEventLoop:
    """A new loop. Pace None: it jumps from timer to timer."""
    return LeapingLoop() if pace is None else HurriedLoop(pace)
