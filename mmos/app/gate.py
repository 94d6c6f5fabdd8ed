"""Holds the tasks of a batch back while no host answers, so that they do not fail one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mmos.errors import NoHost
from mmos.fleet.fleet import Fleet

PATIENCE = 600.0
"""Seconds that a batch waits for hosts when none of them answers."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two questions to the hosts."""
MOST_REFUSED = 10
"""After so many tasks in a row that no host could serve, the batch stops."""


@dataclass
class Gate:
    """Where tasks wait for hosts."""

    fleet: Fleet
    tell: Callable[[str], None]
    """Gets a sentence when the batch begins to wait, and when it goes on."""
    patience: float = PATIENCE
    clock: Callable[[], float] = time.monotonic
    served: int = 0
    """Tasks that a host has served."""
    _refused: int = 0
    """Tasks in a row that no host could serve, although hosts answer."""
    _waiting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def passed(self) -> None:
        """Return when a new task may begin."""
        if self._waiting.locked():
            async with self._waiting:
                pass

    def serves(self) -> None:
        """A host has served a task."""
        self.served += 1
        self._refused = 0

    async def host_answers(self, served: int) -> None:
        """Return when a task that no host could serve may try again. `served`: what it was when the task began.

        Raises `NoHost` when the patience of the batch ends.
        """
        async with self._waiting:
            if self.served == served:
                await self._ask_until_a_host_answers()
        await asyncio.sleep(FIRST_PAUSE)

    def refuses(self, why: str) -> None:
        """No host could serve a task, although hosts answer. Raises `NoHost` when this happens to one task after the other."""
        self._refused += 1
        if self._refused >= MOST_REFUSED:
            raise NoHost(f"No host could serve the last {self._refused} tasks. The last reason: {why}")

    async def _ask_until_a_host_answers(self) -> None:
        begun, pause, told = self.clock(), FIRST_PAUSE, False
        while True:
            silent = await self.fleet.census(fresh=True)
            if len(silent) < len(self.fleet.seats):
                if told:
                    self.tell("A host answers again. The work goes on.")
                return
            why = " ".join(error.message for error in silent.values())
            if self.clock() - begun >= self.patience:
                raise NoHost(f"No host has answered for {self.patience:g} s: {why}", said=silent)
            if not told:
                self.tell(f"No host answers, so MMOS waits for up to {self.patience:g} s: {why}")
                told = True
            await asyncio.sleep(min(pause, max(0.0, begun + self.patience - self.clock())))
            pause = min(2 * pause, LONGEST_PAUSE)
