"""Prints a sign of life of a long run: one line on stderr when nothing was printed for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mmos.cli.activity import Activity
from mmos.cli.output import how_long

EVERY = 30.0
"""After this many seconds without output, a run says that it is still at work."""


@dataclass
class Heartbeat:
    """Says what is at work if nothing was printed for a while."""

    every: float = EVERY
    clock: Callable[[], float] = time.monotonic
    live: Activity = field(default_factory=Activity)
    """Who is at work."""
    _begun: float = field(init=False)
    _shown: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self._shown = self.clock()

    def shown(self) -> None:
        """Restart the wait: something else was printed."""
        self._shown = self.clock()

    async def beat(self, say: Callable[[str], None]) -> None:
        """Print signs of life until cancelled."""
        while True:
            await asyncio.sleep(max(0.0, self._shown + self.every - self.clock()))
            if self.clock() - self._shown >= self.every:
                self.shown()
                say(self.line())

    def line(self) -> str:
        tokens = f", {self.live.tokens:,} tokens" if self.live.tokens else ""
        return f"mmos: still at work after {_since(self.clock() - self._begun)}: {self._at_work()}{tokens}"

    def _at_work(self) -> str:
        for one in self.live.answering():
            place = f"{one.role}, waiting for a host" if one.stage == "queued" else f"{one.role} on {one.host}"
            return ", ".join(filter(None, (place, "loading its model" if one.stage == "loading" else "", f"turn {one.turns}")))
        tools = self.live.tools()
        return f"the tool {', '.join(tools)}" if tools else "between two turns"


def _since(seconds: float) -> str:
    return how_long(round(seconds)).replace(".0 s", " s")
