"""Gives the participants of a run what reads a task in parts. Few runs need it, so it is imported when one does."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.context import Answer
from mmos.errors import WindowExceeded
from mmos.fleet.fleet import Fleet
from mmos.names import canonical
from mmos.participant.loop import Exchange, NextExchange
from mmos.prompting.budget import count_message


@dataclass(frozen=True)
class LazyDividing:
    """Reads tasks in parts on the hosts of a fleet."""

    fleet: Fleet

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer:
        if not _is_short(exchange):
            return await self._divide(exchange, go_on)
        try:
            return await go_on(exchange)
        except WindowExceeded as error:
            if exchange.scope.exchange.turns:
                raise
            return await self._divide(exchange, go_on, error)

    async def _divide(self, exchange: Exchange, go_on: NextExchange, refused: WindowExceeded | None = None) -> Answer:
        from mmos.chunking.dividing import Dividing

        return await Dividing(self.slots).exchange(exchange, go_on, refused)

    def slots(self, model: str, servers: tuple[str, ...]) -> int:
        """How many requests for a model may be on their way at the same time."""
        seats = [seat for seat in self.fleet.seats if not servers or seat.name in servers]
        return sum(seat.slots for seat in seats if not seat.installed or canonical(model) in seat.installed)


def _is_short(exchange: Exchange) -> bool:
    """Whether the task surely fits, by our estimate: nearly all do."""
    role, experience = exchange.member.role, exchange.room.experience
    tokens = experience.gauge.tokens(role.model, count_message(exchange.scope.exchange.messages[0]))
    return tokens * 2 <= experience.window(role.model, role.window)
