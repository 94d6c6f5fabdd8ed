"""Defines what may surround an exchange: each is given to the participants by the app, and each may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mmos.context import Answer
from mmos.executor import Execution, Next
from mmos.scope import Scope

if TYPE_CHECKING:
    from mmos.participant.loop import Exchange, NextExchange, Participants


class Recovery(Protocol):
    """What cures failures."""

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer: ...
    async def call(self, room: Participants, execution: Execution, go_on: Next) -> str: ...


class Rules(Protocol):
    """The rules about what happens in a run."""

    async def meet(self, scope: Scope) -> None:
        """Record which of them has become true, before the role that answers takes a turn."""
        ...


class Judging(Protocol):
    """What judges the answer to the user, and may replace it by a better one."""

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer: ...


class Standing(Protocol):
    """What lets a pattern answer in place of a model, or advise it."""

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer: ...


class Dividing(Protocol):
    """What answers a task that is larger than a window, part by part."""

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer: ...
    def slots(self, model: str, servers: tuple[str, ...]) -> int:
        """How many requests for a model may be on their way at the same time."""
        ...
