"""What surrounds a request to a model on its way to the fleet. `WRAPPERS` lists it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol

from mmos.errors import HostError, HostTimeout, WindowExceeded
from mmos.fleet.fleet import Ask
from mmos.hosts.face import Installed
from mmos.messages import Reply
from mmos.participant.recorder import Recorder

RECOUNTS = 3
"""How often MMOS shortens a prompt because the host counted more tokens than MMOS estimated."""


@dataclass(frozen=True)
class Asking(Ask):
    """A request of a run."""

    recorder: Recorder = field(kw_only=True)
    shorter: Callable[[WindowExceeded], Asking] | None = None
    """Makes the request again, in a shorter form. None: it stays as it is."""
    seconds: float | None = None
    """How long the caller waits."""


class Models(Protocol):
    """Whoever has models: the fleet, and each wrapper around it."""

    async def serve(self, ask: Asking) -> Reply: ...
    async def describe(self, model: str, servers: tuple[str, ...]) -> Installed | None: ...


@dataclass(frozen=True)
class Wrapper:
    """Surrounds the models with one concern. This one adds nothing."""

    models: Models

    async def serve(self, ask: Asking) -> Reply:
        return await self.models.serve(ask)

    async def describe(self, model: str, servers: tuple[str, ...]) -> Installed | None:
        return await self.models.describe(model, servers)


class Budget(Wrapper):
    """No request goes out when the run has reached a limit."""

    async def serve(self, ask: Asking) -> Reply:
        if (limit := ask.recorder.scope.spent) is not None:
            raise limit
        return await self.models.serve(ask)


class Recount(Wrapper):
    """When the host counts more tokens than MMOS estimated, MMOS takes its count and makes the prompt again."""

    async def serve(self, ask: Asking) -> Reply:
        for _ in range(RECOUNTS):
            try:
                return await self.models.serve(ask)
            except WindowExceeded as error:
                if error.prompt_tokens is None or ask.shorter is None:
                    raise
                ask = ask.shorter(error)
        return await self.models.serve(ask)


class Rescue(Wrapper):
    """A failed reply that MMOS can use is a reply."""

    async def serve(self, ask: Asking) -> Reply:
        try:
            return await self.models.serve(ask)
        except HostError as error:
            if (reply := ask.recorder.rescued(error)) is None:
                raise
            return reply


class Record(Wrapper):
    """A request is in the journal before it goes out."""

    async def serve(self, ask: Asking) -> Reply:
        ask.recorder.begin()
        try:
            return await self.models.serve(ask)
        except asyncio.CancelledError:
            ask.recorder.ended("", "cancelled", "The call was cancelled.")
            raise


class Patience(Wrapper):
    """The caller waits only so long."""

    async def serve(self, ask: Asking) -> Reply:
        if ask.seconds is None:
            return await self.models.serve(ask)
        try:
            async with asyncio.timeout(ask.seconds) as limit:
                return await self.models.serve(ask)
        except TimeoutError as error:
            if not limit.expired():
                raise
            ask.recorder.ended("", "host_timeout", f"No reply within {ask.seconds:g} s.")
            model = ask.request.model
            raise HostTimeout(f"{model} did not answer within {ask.seconds:g} s.", model=model) from error


class Progress(Wrapper):
    """A model at work counts as progress of the run."""

    async def serve(self, ask: Asking) -> Reply:
        with ask.recorder.scope.pulse:
            return await self.models.serve(ask)


WRAPPERS: tuple[type[Wrapper], ...] = (Budget, Recount, Rescue, Record, Patience, Progress)
"""The outermost first. The fleet is inside."""


def wrapped(fleet: Models) -> Models:
    return reduce(lambda models, wrapper: wrapper(models), reversed(WRAPPERS), fleet)
