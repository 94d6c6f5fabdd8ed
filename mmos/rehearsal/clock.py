"""Provides a host's own time: faster than real time by a factor, or without waiting."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Clock:
    """Divides waits by the scale. None or infinity: nothing waits, and no time passes."""

    scale: float | None = 1.0
    wall: Callable[[], int] = time.time_ns
    steady: Callable[[], float] = time.monotonic

    @property
    def rushes(self) -> bool:
        return self.scale is None or math.isinf(self.scale)

    def now(self) -> float:
        """The host's own seconds since some start."""
        return 0.0 if self.scale is None or math.isinf(self.scale) else self.steady() * self.scale

    async def until(self, due: float) -> None:
        await self.sleep(due - self.now())

    async def sleep(self, seconds: float) -> None:
        if seconds > 0 and self.scale is not None and not math.isinf(self.scale):
            await asyncio.sleep(seconds / self.scale)

    def real(self, seconds: float) -> float | None:
        """The host's seconds in real seconds. None: they never pass."""
        if self.scale is None or math.isinf(self.scale) or math.isinf(seconds):
            return None
        return max(0.0, seconds / self.scale)

    async def cut_short(self, seconds: float, event: asyncio.Event) -> bool:
        """Wait this long, or until the event. Returns whether the event came."""
        if not self.rushes and seconds > 0:
            try:
                async with asyncio.timeout(self.real(seconds)):
                    await event.wait()
            except TimeoutError:
                return False
        return event.is_set()

    def stamp(self, ahead: float = 0.0) -> str:
        """The time of day this many seconds ahead, as Go writes it: RFC 3339, nanoseconds without trailing zeros."""
        return stamp(self.wall() + int(ahead * 1e9))


def stamp(nanoseconds: int) -> str:
    second, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{_second(second)}{fraction}Z"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
