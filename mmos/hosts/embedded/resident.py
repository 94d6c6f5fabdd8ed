"""Keeps the engine of one model of an embedded host: starts it once, with one window, and stops it only when it is idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmos.hosts.embedded.gguf import Header
from mmos.hosts.embedded.process import Engine, Order
from mmos.hosts.faults import Site


@dataclass
class Resident:
    """A model and its engine."""

    name: str
    path: Path | None
    """None: the built-in model."""
    header: Header | None = None
    engine: Engine | None = None
    _calls: int = 0
    _moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, order: Order, python: Sequence[str], site: Site, clock: Callable[[], float]) -> tuple[Engine, float]:
        """An engine with a large enough window, and the seconds of its start. The caller must call `done` at the end."""
        seconds = 0.0
        async with self._moving:
            if self.engine is not None and self.engine.alive and self.engine.order.window < order.window:
                await self._empty()  # a larger window needs another engine, which waits for the running calls
                await self._stop()
            if self.engine is None or not self.engine.alive:
                await self._stop()
                start = clock()
                self.engine = await Engine.start(order, python, site)
                seconds = clock() - start
            self._calls += 1
            return self.engine, seconds

    def done(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    async def leave(self, *, at_once: bool = False) -> None:
        """Stop the engine after its calls. `at_once`: now."""
        async with self._moving:
            if not at_once:
                await self._empty()
            await self._stop()

    async def _empty(self) -> None:
        while self._calls:
            self._idle.clear()
            await self._idle.wait()

    async def _stop(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            await engine.stop()
