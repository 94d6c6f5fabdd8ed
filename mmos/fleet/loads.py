"""Lets the load of a model go on when the call that began it has left: others may wait for the model, and most of its cost is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mmos.fleet.place import Place
from mmos.placement.engine import Engine

Result = TypeVar("Result")


class Loads:
    """The requests whose calls have left during a load. The host loads the model only while one is open."""

    def __init__(self, engine: Engine, now: Callable[[], float], ended: Callable[[Place | None], None]) -> None:
        self._engine = engine
        self._now = now
        self._ended = ended
        self._tasks: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._alone: dict[str, asyncio.Task[None]] = {}
        """By host: loads for which no call was there."""

    async def carry(self, place: Place, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work of a call. If it is cancelled while its host loads the model for it, its request stays open until the model is in memory."""
        send = place.send
        if not self._engine.upkeep.is_loading(send.host, send.model):
            return await work
        since = self._now()
        task = asyncio.get_running_loop().create_task(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done() and self._engine.upkeep.outlive(send.attempt, self._now()):
                self._keep(place, task, since)
                raise
            task.cancel()
            await asyncio.wait([task])
            if place.is_only_recalled and not task.cancelled() and task.exception() is None:
                return task.result()  # it came in the same moment
            raise

    def _keep(self, place: Place, task: asyncio.Task[Any], since: float) -> None:
        host, model = key = place.send.host, place.send.model

        def end(task: asyncio.Task[Any]) -> None:
            del self._tasks[key]
            error = None if task.cancelled() else task.exception()
            if not self._engine.upkeep.is_loading(host, model):
                return  # a call that was sent later has shown it
            if place.begun is not None or not (task.cancelled() or error):
                self._engine.upkeep.loaded(host, model, self._now() - since, self._now())
                self._ended(place)
            else:
                self._engine.upkeep.lost(host, model, self._now())
                self._ended(None)

        place.abandon(task.cancel)
        self._tasks[key] = task
        task.add_done_callback(end)

    def begun(self, place: Place) -> None:
        """A part of a reply has come, so the model of that call is in memory."""
        place.begin(self._now())
        task = self._tasks.get((place.send.host, place.send.model)) if self._tasks else None
        if task is not None:
            task.cancel()

    def watch(self, host: str, task: asyncio.Task[None]) -> None:
        """A load is a task of its own."""
        self._alone[host] = task
        task.add_done_callback(lambda ended: self._alone.pop(host) if self._alone.get(host) is ended else None)

    def make_way(self) -> None:
        """End the loads that nobody waits for, where somebody waits for another."""
        for host, task in list(self._alone.items()):
            if self._engine.upkeep.hinders(host, self._now()):
                del self._alone[host]
                task.add_done_callback(lambda _: self._ended(None))
                task.cancel()
        for (host, _), task in self._tasks.items():
            if self._engine.upkeep.hinders(host, self._now()):
                task.cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
