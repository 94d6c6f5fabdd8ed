"""What surrounds a request to a model on its way to the fleet. `WRAPPERS` lists it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol

from mmos.calls.shape import Shape
from mmos.errors import HostError, StateError, WindowExceeded
from mmos.fleet.asking import Ask
from mmos.fleet.delay import Delay
from mmos.fleet.refusals import overdue
from mmos.hosts.face import Installed
from mmos.messages import Reply
from mmos.participant.recorder import Recorder

RECOUNTS = 3
"""How often MMOS shortens a prompt because the host counted more tokens than MMOS estimated."""


@dataclass(frozen=True)
class RunAsk(Ask):
    """A call to a model for a run."""

    observer: Recorder = field(kw_only=True)
    """Records it."""
    shorter: Shorter | None = None
    """Makes a shorter request for the same turn. None: there is no shorter one."""
    seconds: float | None = None
    """How long the caller waits."""
    shape: Shape | None = None
    """The schema that the answer must fit."""
    proof: Callable[[Reply], WindowExceeded | None] | None = None
    """Says why the host cannot have read the whole prompt. None: nothing can be compared."""


Shorter = Callable[[WindowExceeded], Awaitable[RunAsk]]


class Models(Protocol):
    """Serves requests to models: the fleet does, and each wrapper around it."""

    async def serve(self, ask: RunAsk) -> Reply: ...
    async def describe(self, model: str, servers: tuple[str, ...]) -> Installed | None: ...
    def delay(self, model: str, servers: tuple[str, ...]) -> Delay: ...


@dataclass(frozen=True)
class Wrapper:
    """Surrounds the models with one concern. This one adds nothing."""

    models: Models

    async def serve(self, ask: RunAsk) -> Reply:
        return await self.models.serve(ask)

    async def describe(self, model: str, servers: tuple[str, ...]) -> Installed | None:
        return await self.models.describe(model, servers)

    def delay(self, model: str, servers: tuple[str, ...]) -> Delay:
        return self.models.delay(model, servers)


class Settle(Wrapper):
    """Waits until the journal keeps what the request builds on. It is the first one: other lanes go on meanwhile."""

    async def serve(self, ask: RunAsk) -> Reply:
        with suppress(StateError):  # the run goes on when it cannot be kept, and its answer has a warning
            await ask.observer.scope.settled()
        return await self.models.serve(ask)


class Budget(Wrapper):
    """Stops a request when the run has reached a limit."""

    async def serve(self, ask: RunAsk) -> Reply:
        if (limit := ask.observer.scope.reached_limit) is not None:
            raise limit
        return await self.models.serve(ask)


class Recount(Wrapper):
    """Makes a shorter prompt when the host counts more tokens than MMOS estimated, or did not read the whole prompt."""

    async def serve(self, ask: RunAsk) -> Reply:
        for _ in range(RECOUNTS):
            try:
                reply = await self.models.serve(ask)
                cut = None if ask.proof is None else ask.proof(reply)
                again = None if cut is None else await self._again(ask, reply, cut)
                if again is None:
                    return reply
                ask = again
            except WindowExceeded as error:
                if error.prompt_tokens is None or ask.shorter is None:
                    raise
                ask = await ask.shorter(error)
        return await self.models.serve(ask)

    async def _again(self, ask: RunAsk, reply: Reply, cut: WindowExceeded) -> RunAsk | None:
        """A shorter request in place of one that the host did not read whole. None: nothing more can be left out."""
        try:
            shorter = await ask.shorter(cut) if ask.shorter else None
        except WindowExceeded:
            return None
        if shorter is not None:
            ask.observer.doubt(reply.host, cut)
        return shorter


class Rescue(Wrapper):
    """When MMOS can use a failed reply, it counts as a reply."""

    async def serve(self, ask: RunAsk) -> Reply:
        try:
            return await self.models.serve(ask)
        except HostError as error:
            if (reply := ask.observer.rescue(error)) is None:
                raise
            return reply


class Record(Wrapper):
    """Writes a request to the journal before it goes out."""

    async def serve(self, ask: RunAsk) -> Reply:
        ask.observer.record_request()
        try:
            return await self.models.serve(ask)
        except asyncio.CancelledError:
            spent = ask.account.spent()
            ask.observer.record_failure("", "cancelled", f"The call was cancelled after {spent}." if spent else "The call was cancelled.")
            raise


class Patience(Wrapper):
    """Stops a request that takes longer than its caller waits."""

    async def serve(self, ask: RunAsk) -> Reply:
        if ask.seconds is None:
            return await self.models.serve(ask)
        try:
            async with asyncio.timeout(ask.seconds) as limit:
                return await self.models.serve(ask)
        except TimeoutError as error:
            if not limit.expired():
                raise
            late = overdue(ask.request.model, ask.seconds, ask.account)
            ask.observer.record_failure("", late.code, late.message)
            raise late from error


class Progress(Wrapper):
    """Counts a model at work as progress of the run."""

    async def serve(self, ask: RunAsk) -> Reply:
        with ask.observer.scope.pulse:
            return await self.models.serve(ask)


WRAPPERS: tuple[type[Wrapper], ...] = (Settle, Budget, Recount, Rescue, Record, Patience, Progress)
"""From the outside in. The fleet is inside, in the cache of answers if there is one (`mmos.participant.caching`)."""


def wrap(fleet: Models) -> Models:
    return reduce(lambda models, wrapper: wrapper(models), reversed(WRAPPERS), fleet)
