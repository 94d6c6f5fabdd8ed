"""Puts the members of a pattern that work side by side in the order that loads least."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mmos.placement.forecasting import Order

SHARE = 0.5
"""The part of the deadline that a member may be held back at most."""


@dataclass
class Turns:
    """The members that are asked now, by their models.

    The fleet itself lets all calls to one model in memory answer together. What it cannot know: the model that puts the answers together is
    asked once more at the end. Where the models push each other out of memory, it answers last of the members, so that it is still there.
    If it is in memory now, it answers first, before the others push it out.
    """

    joiner: str = ""
    """The model that is asked again at the end. Empty: none."""
    patience: float | None = None
    """Seconds after which a member is asked in any case. None: when it is its turn."""
    turn_of_joiner: Callable[[], Awaitable[Order]] | None = None
    """When the joiner should answer. It is asked once."""
    _open: Counter[str] = field(default_factory=Counter)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Task[Order] | None = None

    @asynccontextmanager
    async def of(self, model: str) -> AsyncIterator[None]:
        """Wait until it is the turn of a model, and keep it until the block ends."""
        self._open[model] += 1
        try:
            if self.turn_of_joiner is not None:
                await self._wait(model, self.turn_of_joiner)
            yield
        finally:
            self._open[model] -= 1
            self._ended.set()

    async def _wait(self, model: str, ask: Callable[[], Awaitable[Order]]) -> None:
        await asyncio.sleep(0)  # the others of the same stage begin
        if not self._before(model, "first") and not self._before(model, "last"):
            return
        if self._turn is None:
            self._turn = asyncio.ensure_future(ask())
        turn = await asyncio.shield(self._turn)
        try:
            async with asyncio.timeout(self.patience):
                while self._before(model, turn):
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            return

    def _before(self, model: str, turn: Order) -> bool:
        """Whether somebody else is asked who comes before this model."""
        if turn == "any" or (model == self.joiner) != (turn == "last"):
            return False
        return any(count for other, count in self._open.items() if (other == self.joiner) == (turn == "first"))
