"""Drives the placement engine over a world: it reports what happens and does what the engine decides."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from bench.fleet_driver import Wish
from bench.fleet_world import World, WorldError, prompt
from mmos.fleet.fingerprints import blocks
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Load, Look, Machine, Mark, Need, Recall, Resident, Send, Settings, Unload, Usage
from mmos.rehearsal.host import Host
from mmos.rehearsal.memory import GIB

LOOK_SECONDS = 3.0
"""Seconds between two looks at the loaded models of a host."""
MISCOUNT = 1.1
"""A client estimates the tokens of a prompt; it does not count them."""
OVERHEAD = 0.5 * GIB
ATTEMPTS = 50


class EngineFleet:
    """A fleet in a world: `ask` waits until a host has answered."""

    def __init__(self, world: World, policy: str = "completion_time", settings: Settings | None = None, *, told: bool = True) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        machines = [_machine(host, told=told) for host in world.hosts.values()]
        self.engine = Engine(machines, settings, policy)
        for host in world.hosts.values():
            self.engine.installed(host.name, {model.key: _need(host, model) for model in host.models})
        self._answers: dict[str, asyncio.Future[tuple[str, int]]] = {}
        self._wishes: dict[str, Wish] = {}
        self._tries: dict[str, int] = {}
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looker = self._loop.create_task(self._look_often())
        self.pumps = 0

    async def close(self) -> None:
        for task in (self._looker, *self._tasks):
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(self._looker, *self._tasks, return_exceptions=True)

    @property
    def now(self) -> float:
        return self._loop.time()

    async def ask(self, wish: Wish) -> tuple[str, int]:
        call = Call(
            wish.id,
            wish.choices,
            wish.prompt_tokens * MISCOUNT,
            window=wish.window,
            session=wish.session,
            group=wish.run,
            blocks=_blocks(wish),
            urgent=wish.urgent,
        )
        answer: asyncio.Future[tuple[str, int]] = self._loop.create_future()
        self._answers[wish.id] = answer
        self._wishes[wish.id] = wish
        self.engine.submit(call, self.now)
        self._pump()
        try:
            return await answer
        finally:
            del self._answers[wish.id]
            attempt = self.engine.withdraw(wish.id, self.now)
            if attempt is not None and attempt in self._attempts:
                self._attempts[attempt].cancel()

    def _pump(self) -> None:
        """Do what the engine decides, until it has nothing more to decide."""
        self.pumps += 1
        for decision in self.engine.decide(self.now):
            match decision:
                case Send():
                    self._attempts[decision.attempt] = self._start(self._send(decision))
                case Recall():
                    self._attempts[decision.attempt].cancel()
                case Load():
                    self._start(self._load(decision))
                case Unload():
                    self._start(self._unload(decision))
                case Look():
                    self._start(self._look(decision.host))
        moment = self.engine.wake(self.now)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if moment is None else self._loop.call_at(moment + 1e-6, self._pump)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _begun(self, attempt: int) -> None:
        if self.engine.progress(attempt, self.now):
            self._pump()

    async def _send(self, send: Send) -> None:
        wish = self._wishes[send.call.id]
        window = max(send.window, wish.window)
        try:
            told = await self._world.chat(send.host, send.model, wish, window, lambda: self._begun(send.attempt))
        except WorldError as error:
            if self.engine.failed(send.attempt, "gone", self.now):
                self._retry(send.call.id, error)
        else:
            usage = Usage(
                told.prompt_tokens, told.prompt_seconds, told.output_tokens, told.output_seconds, told.load_seconds, told.total_seconds
            )
            if self.engine.finished(send.attempt, usage, self.now):
                self._answers[send.call.id].set_result((send.host, told.reused))
        finally:
            del self._attempts[send.attempt]
        self._pump()

    def _retry(self, call: str, error: WorldError) -> None:
        self._tries[call] = self._tries.get(call, 0) + 1
        if self._tries[call] >= ATTEMPTS:
            self._answers[call].set_exception(error)

    async def _load(self, load: Load) -> None:
        since = self.now
        try:
            await self._world.load(load.host, load.model, load.window)
        except WorldError:
            self.engine.upkeep.load_failed(load.host, load.model, "gone", self.now)
        else:
            self.engine.upkeep.loaded(load.host, load.model, self.now - since, self.now)
        self._pump()

    async def _unload(self, unload: Unload) -> None:
        with suppress(WorldError):
            await self._world.unload(unload.host, unload.model)
        self.engine.upkeep.unloaded(unload.host, unload.model, self.now)
        self._pump()

    async def _look(self, name: str) -> None:
        asked = self.now
        try:
            runners = await self._world.ps(name)
        except WorldError:
            return
        residents = [Resident(runner.model.key, runner.need.size, runner.window, runner.vram) for runner in runners]
        self.engine.resident(name, residents, self.now, asked=asked)
        self._pump()

    async def _look_often(self) -> None:
        while True:
            await asyncio.gather(*(self._look(name) for name in self._world.hosts))
            await asyncio.sleep(LOOK_SECONDS)


def _blocks(wish: Wish) -> tuple[Mark, ...]:
    """What the fleet computes of the prompt."""
    messages = [Message("system", part) for part in prompt(wish)]
    marks = blocks(ChatRequest(wish.model, messages, wish.window))
    factor = wish.prompt_tokens * MISCOUNT / marks[-1][1]
    return tuple((mark, tokens * factor) for mark, tokens in marks)


def _machine(host: Host, *, told: bool) -> Machine:
    memory = host.vram_gb * GIB if told and host.vram_gb is not None else None
    return Machine(host.name, host.parallel, memory)


def _need(host: Host, model: Any) -> Need:
    """What a client computes from `/api/tags` and `/api/show`."""
    return Need(model.size + OVERHEAD, model.architecture.kv_bytes * host.parallel)
