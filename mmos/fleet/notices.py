"""Tells the callers of waiting calls what to expect: one timer for the whole fleet, and none while no call waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mmos.placement.facts import Outlook

FIRST = 0.5
"""Seconds that a call waits before its first notice, and between two looks at all calls."""
EVERY = 1.0
"""Seconds between two notices for one call."""

OnWait: TypeAlias = Callable[[Outlook], None]
"""Gets what a waiting call can expect, in seconds of MMOS's clock."""


@dataclass
class Notices:
    """The calls whose callers want to know. `start` whenever one of them begins to wait."""

    outlooks: Callable[[Iterable[str]], Mapping[str, Outlook]]
    scale: float
    """Seconds of the hosts for one second of MMOS."""
    _calls: dict[str, tuple[float, OnWait]] = field(default_factory=dict)
    """When the next notice for each call is due."""
    _pauses: dict[str, float] = field(default_factory=dict)
    """When the pause of a call ends."""
    _timer: asyncio.TimerHandle | None = None

    def follow(self, call: str, on_wait: OnWait) -> None:
        self._calls[call] = asyncio.get_running_loop().time() + FIRST, on_wait

    def pauses(self, call: str, seconds: float) -> None:
        """A call waits for so many seconds before its next attempt."""
        if call in self._calls:
            self._pauses[call] = asyncio.get_running_loop().time() + seconds
            self.start()

    def goes_on(self, call: str) -> None:
        self._pauses.pop(call, None)

    def leave(self, call: str) -> None:
        self._calls.pop(call, None)
        self._pauses.pop(call, None)

    def start(self) -> None:
        if self._timer is None and self._calls:
            self._timer = asyncio.get_running_loop().call_later(FIRST, self._ring)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        waiting = {call: _scaled(outlook, self.scale) for call, outlook in self.outlooks(self._calls).items()}
        waiting |= {call: Outlook(0, max(0.0, end - now), pauses=True) for call, end in self._pauses.items()}
        for call, outlook in waiting.items():
            due, on_wait = self._calls[call]
            if due <= now:
                self._calls[call] = now + EVERY, on_wait
                on_wait(outlook)
        if waiting:
            self.start()


def _scaled(outlook: Outlook, scale: float) -> Outlook:
    return outlook if outlook.seconds is None else replace(outlook, seconds=outlook.seconds / scale)
