"""Finds attempts that show no progress although another host could serve their calls."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from mmos.placement.ledger import Flight, Ledger, State


class Overdue:
    """Looks at each attempt when it should have shown progress."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._deadlines: list[tuple[float, int]] = []

    def watch(self, flight: Flight) -> None:
        heappush(self._deadlines, (self._due(flight), flight.attempt))

    @property
    def next(self) -> list[float]:
        """When an attempt must be looked at next. Empty: there is none."""
        return [self._deadlines[0][0]] if self._deadlines else []

    def found(self, now: float) -> Iterator[Flight]:
        """The attempts to recall."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, attempt = heappop(self._deadlines)
            flight = self._ledger.flights.get(attempt)
            if flight is None:
                continue
            due = self._due(flight)
            if due > now or not self._elsewhere(flight, now):
                heappush(self._deadlines, (max(due, now + self._ledger.settings.overdue_seconds), attempt))
            else:
                yield flight

    def _due(self, flight: Flight) -> float:
        """When a host counts as silent. A model that works on other calls shows progress, too; one that is being loaded, if any model does."""
        copy, settings = flight.copy, self._ledger.settings
        heard = copy.heard if copy.state is State.RESIDENT else copy.host.heard
        expected = flight.seconds + (0.0 if copy.state is State.RESIDENT else copy.load)
        patience = settings.overdue_factor * expected + settings.overdue_seconds
        return max(heard, flight.sent) + patience * 2.0 ** min(
            10, flight.waiting.attempts
        )  # two slow hosts must not pass a call to and fro

    def _elsewhere(self, flight: Flight, now: float) -> bool:
        call = flight.waiting.call
        copies = self._ledger.having(call.models, call.hosts)
        return any(copy.host is not flight.copy.host and copy.closed_until <= now for copy in copies)
