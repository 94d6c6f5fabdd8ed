"""Runs rehearsal hosts in virtual time, without HTTP: their own memory, loads, slots and caches, and the figures that a client would read."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mmos.rehearsal.host import Host
from mmos.rehearsal.runner import Runner, Slot
from mmos.rehearsal.tokens import count
from mmos.simulation.trace import Call

Told = TypeVar("Told")
NOTICED = 5.0
"""Seconds between two tokens that the client reports as progress."""


class _Instant(selectors.SelectSelector):
    """Waits for no socket: time jumps to the next timer."""

    ahead = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("the simulation waits for something that never comes")
        self.ahead += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only in timers."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.ahead


class WorldError(Exception):
    """A host did not answer a call: `kind` is `gone` or `error`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Figures:
    """The figures of a reply, as Ollama reports them."""

    prompt_tokens: int
    prompt_seconds: float
    output_tokens: int
    output_seconds: float
    load_seconds: float
    total_seconds: float
    reused: int
    """Not reported by the host; the bench counts it."""


@dataclass
class World:
    """Hosts, and what a client can do with them. A call reaches its host after `lag` seconds, and so does each reply."""

    hosts: Mapping[str, Host]
    lag: float = 0.0
    down: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)
    _working: dict[str, set[asyncio.Task[Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, hosts: Sequence[Host], lag: float = 0.0) -> World:
        return cls({host.name: host for host in hosts}, lag)

    async def chat(self, name: str, model: str, call: Call, window: int, progress: Callable[[], None]) -> Figures:
        """Send a call to a host."""
        return await self._visit(name, self._chat(self.hosts[name], model, call, window, progress))

    async def load(self, name: str, model: str, window: int) -> float:
        """Load a model, as a request without a prompt does. Returns the seconds that the host reports."""

        async def work(host: Host) -> float:
            need = host.need(host.installed[model], {"num_ctx": window}, keep_alive=3600.0)
            async with host.residency.hold(need) as (_, seconds):
                return seconds

        return await self._visit(name, work(self.hosts[name]))

    async def unload(self, name: str, model: str) -> None:
        async def work(host: Host) -> None:
            host.residency.unload(host.installed[model])

        await self._visit(name, work(self.hosts[name]))

    async def ps(self, name: str) -> list[Runner]:
        async def work(host: Host) -> list[Runner]:
            return host.residency.loaded()

        return await self._visit(name, work(self.hosts[name]))

    def fall(self, name: str) -> None:
        """A host dies: its calls break off, its memory is lost, and it refuses connections."""
        self.down.add(name)
        for task in list(self._working.get(name, ())):
            task.cancel("the host died")
        for model in self.hosts[name].models:
            self.hosts[name].residency.unload(model)

    async def _visit(self, name: str, work: Coroutine[Any, Any, Told]) -> Told:
        try:
            await asyncio.sleep(self.lag)
            if name in self.down:
                raise WorldError("gone")
        except BaseException:
            work.close()
            raise
        task = asyncio.ensure_future(work)
        self._working.setdefault(name, set()).add(task)
        try:
            result = await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            if name in self.down:
                raise WorldError("gone") from None
            raise
        finally:
            self._working[name].discard(task)
        await asyncio.sleep(self.lag)
        return result

    async def _chat(self, host: Host, model: str, call: Call, window: int, progress: Callable[[], None]) -> Figures:
        """The same steps as `mmos.rehearsal.inference`, without writing each token."""
        clock, need = host.clock, host.need(host.installed[model], {"num_ctx": window})
        arrived = clock.now()
        parts = prompt(call)
        tokens = sum(map(count, parts))
        async with host.residency.hold(need) as (runner, load), runner.slot(parts) as slot:
            reused, reading = await self._read(host, runner, slot, parts)
            writing = call.output_tokens * runner.slowness / host.speed_factor / runner.model.speed.decode
            await self._write(host, writing, progress)
            slot.hold([*parts, answer(call)], tokens + call.output_tokens)
            host.tokens_generated += call.output_tokens
            return Figures(tokens, reading, call.output_tokens, writing, load, clock.now() - arrived, reused)

    async def _write(self, host: Host, seconds: float, progress: Callable[[], None]) -> None:
        """Write for so many seconds. The client notices the first token, and one every few seconds."""
        until = host.clock.now() + seconds
        while True:
            if host.name in self.hung:
                await asyncio.get_running_loop().create_future()
            progress()
            left = until - host.clock.now()
            if left <= 0:
                return
            await host.clock.sleep(min(left, NOTICED))

    async def _read(self, host: Host, runner: Runner, slot: Slot, parts: Sequence[str]) -> tuple[int, float]:
        tokens = sum(map(count, parts))
        reused = min(slot.reusable(parts), tokens - 1)
        reading = (tokens - reused) / runner.model.speed.prefill * runner.slowness / host.speed_factor
        host.tokens_reused += reused
        host.tokens_evaluated += tokens - reused
        await host.clock.sleep(reading)
        slot.hold(parts, tokens)
        return reused, reading


_TEXT = "".join(f"w{number:04d} " for number in range(10_000))
_WORD = 6
_WEIGHT = count(_TEXT) / 10_000


def prompt(call: Call) -> list[str]:
    """The texts of a prompt. Prompts of a session grow at their end; those with the same head begin alike."""
    head = getattr(call, "head", "")
    head_tokens = getattr(call, "head_tokens", 0)
    own = _words(call.session, call.prompt_tokens - head_tokens)
    return [_words(head, head_tokens), own] if head else [own]


def answer(call: Call) -> str:
    return f"{call.id} {call.output_tokens}"


def _words(name: str, tokens: int) -> str:
    return f"{name:.60} " + _TEXT[: max(0, round(tokens / _WEIGHT)) % 10_000 * _WORD]
