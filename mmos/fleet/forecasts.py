"""Says before a job of several models what it will cost on the hosts as they are now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from mmos.fleet.dispatcher import Dispatcher
from mmos.names import canonical
from mmos.placement.forecasting import Forecast, Planning


class Forecasts:
    """The forecasts of a fleet. All seconds are the hosts' own."""

    def __init__(self, census: Callable[[], Awaitable[object]], dispatcher: Dispatcher) -> None:
        self._census = census
        self._dispatcher = dispatcher

    async def look(self) -> None:
        """Ask the hosts which models they have and hold. No model is asked."""
        await self._census()
        await self._dispatcher.look()

    def of(self, stages: Iterable[Sequence[Planning]]) -> Forecast:
        """What a job costs, by what the hosts said last. The calls of one stage may run side by side."""
        named = [[replace(call, model=canonical(call.model)) for call in stage] for stage in stages]
        return self._dispatcher.explainer.forecast(named, self._dispatcher.now)
