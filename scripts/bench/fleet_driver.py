"""Plays a trace: it makes each call when its time has come and the calls before it have ended, in whatever world answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mmos.simulation.trace import Call


@dataclass(frozen=True)
class Wish(Call):
    """A call of a trace, with what only a fleet looks at."""

    models: tuple[str, ...] = ()
    """Several: any of them may answer."""
    head: str = ""
    """Calls with the same head share the first `head_tokens` of their prompts, whatever their session."""
    head_tokens: int = 0
    urgent: bool = True

    @property
    def choices(self) -> tuple[str, ...]:
        return self.models or (self.model,)


@dataclass(frozen=True)
class Done:
    """The end of a call."""

    call: Wish
    asked: float
    done: float
    host: str = ""
    reused: int = 0
    error: str = ""

    @property
    def latency(self) -> float:
        return self.done - self.asked


Ask: TypeAlias = Callable[[Wish], Awaitable[tuple[str, int]]]
"""Makes a call. Returns the host that answered, and the tokens that it had in its cache. Raises when the call is lost."""


@dataclass
class Play:
    """One trace, played once."""

    calls: Sequence[Wish]
    ask: Ask
    clock: Callable[[], float]
    time_scale: float = 1.0
    results: list[Done] = field(default_factory=list)

    async def run(self) -> list[Done]:
        self._ended = {call.id: asyncio.Event() for call in self.calls}
        self._began = self.clock()
        async with asyncio.TaskGroup() as group:
            for call in self.calls:
                group.create_task(self._one(call))
        return self.results

    async def _one(self, call: Wish) -> None:
        for name in call.after:
            await self._ended[name].wait()
        pause = call.think if call.after else call.at - (self.clock() - self._began)
        await asyncio.sleep(max(0.0, pause) / self.time_scale)
        asked = self.clock() - self._began
        try:
            host, reused = await self.ask(call)
            self.results.append(Done(call, asked, self.clock() - self._began, host, reused))
        except Exception as error:  # noqa: BLE001  # a lost call is a result
            self.results.append(Done(call, asked, self.clock() - self._began, error=f"{type(error).__name__}: {error}"))
        self._ended[call.id].set()
