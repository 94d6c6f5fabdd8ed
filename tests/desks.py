"""Hosts without a network for tests of the fleet: each call stays on them until the test lets it go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from mmos.errors import HostError
from mmos.fleet.asking import Ask
from mmos.fleet.fleet import Fleet
from mmos.fleet.seats import Seat
from mmos.hosts.face import Abilities, Card, ChatRequest, Host, Installed, Loaded
from mmos.messages import Message, Reply, Usage
from mmos.names import canonical

GB = 10**9
USAGE = Usage(100, 20, 0.0, 0.1, 0.4, 0.5)
Work = Callable[["Desk", str], Any]


@dataclass
class Desk:
    """A host. `work` is what it does for each call, by the call's text."""

    name: str
    models: Sequence[str] = ("m",)
    work: Work | None = None
    abilities: Abilities = field(default_factory=Abilities)
    url: str = ""
    open: list[str] = field(default_factory=list)
    """The calls on it."""
    order: list[str] = field(default_factory=list)
    """All calls that came."""
    answered: Counter[str] = field(default_factory=Counter)
    loaded: dict[str, None] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """What it was told besides calls."""
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def chat(self, request: ChatRequest, *, timeouts: Any, on_token: Any = None) -> Reply:
        text = request.messages[0].content
        self.open.append(text)
        self.order.append(text)
        try:
            await (self.work(self, text) if self.work else self.gate(text).wait())
        finally:
            self.open.remove(text)
        self.loaded[canonical(request.model)] = None
        self.answered[text] += 1
        return Reply(Message("assistant", text), request.model, self.name, USAGE)

    def gate(self, text: str) -> asyncio.Event:
        return self.gates.setdefault(text, asyncio.Event())

    async def tags(self) -> list[Installed]:
        return [Installed(model, size=6 * GB) for model in self.models]

    async def show(self, model: str) -> Card:
        return Card(model)

    async def ps(self) -> list[Loaded]:
        return [Loaded(model, size=6 * GB, size_vram=6 * GB) for model in self.loaded]

    async def preload(self, model: str, **_: Any) -> float:
        self.told.append(f"load {model}")
        self.loaded[canonical(model)] = None
        return 0.0

    async def unload(self, model: str) -> None:
        self.told.append(f"unload {model}")
        self.loaded.pop(canonical(model), None)

    async def close(self) -> None:
        pass


@asynccontextmanager
async def fleet_of(*desks: Desk, slots: int = 1, memory: float | None = None, time_scale: float = 1.0) -> AsyncIterator[Fleet]:
    async with Fleet([Seat(cast(Host, desk), slots, time_scale, memory) for desk in desks]) as fleet:
        yield fleet


def start(fleet: Fleet, text: str, *hosts: str, model: str = "m", urgent: bool = True) -> asyncio.Task[Reply]:
    ask = Ask(ChatRequest(model, [Message("user", text)], 4096), hosts, urgent=urgent)
    return asyncio.create_task(fleet.serve(ask))


async def settled(turns: int = 12) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def turns(number: int, error: HostError | None = None) -> None:
    """Work for some turns of the event loop, then fail."""
    await settled(number)
    if error is not None:
        raise error
