"""Defines what may surround an exchange: the app gives each to the participants, and each may be missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from mmos.context import Answer
from mmos.executor import Execution, Next
from mmos.scope import Scope

Exchange = TypeVar("Exchange")
Room = TypeVar("Room", contravariant=True)


class Around(Protocol[Exchange]):
    """What surrounds an exchange: it judges the answer, or gives one in place of the model."""

    async def exchange(self, exchange: Exchange, go_on: Callable[[Exchange], Awaitable[Answer]]) -> Answer: ...


class Recovery(Protocol[Exchange, Room]):
    """What cures failures."""

    async def exchange(self, exchange: Exchange, go_on: Callable[[Exchange], Awaitable[Answer]]) -> Answer: ...
    async def call(self, room: Room, execution: Execution, go_on: Next) -> str: ...


class Rules(Protocol):
    """The rules about what happens in a run."""

    async def meet(self, scope: Scope) -> None:
        """Record which of them has become true, before the role that answers takes a turn."""
        ...


class Dividing(Protocol[Exchange]):
    """What answers a task that is larger than a window, part by part."""

    async def exchange(self, exchange: Exchange, go_on: Callable[[Exchange], Awaitable[Answer]]) -> Answer: ...
    def slots(self, model: str, servers: tuple[str, ...]) -> int:
        """How many requests for a model may be on their way at the same time."""
        ...
