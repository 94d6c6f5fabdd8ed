"""Finds attempts that show no progress although another host could serve their calls."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from mmos.placement.copies import Flight, State
from mmos.placement.ledger import Ledger

ANSWER = 3.0
"""Seconds in which a host lists its loaded models, if it is alive."""


class Overdue:
    """Looks at each attempt when it should have shown progress."""

    def __init__(self, ledger: Ledger, looks: dict[str, None]) -> None:
        self._ledger = ledger
        self._looks = looks
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
            if due <= now and flight.copy.state is State.LOADING and now < due + ANSWER:
                self._looks[flight.copy.host.name] = None  # a host that answers is alive, and its load is looked after elsewhere
                heappush(self._deadlines, (due + ANSWER, attempt))
            elif due > now or self._is_alive(flight, due) or not elsewhere(self._ledger, flight, now):
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

    def _is_alive(self, flight: Flight, due: float) -> bool:
        """Whether the host of a load has listed its models since then."""
        return flight.copy.state is State.LOADING and flight.copy.host.breaker.listed >= due


def elsewhere(ledger: Ledger, flight: Flight, now: float) -> bool:
    """Whether another host can serve the call, or load a model for it."""
    call = flight.waiting.call
    copies = [copy for copy in ledger.having(call.models, call.hosts) if copy.host is not flight.copy.host and copy.closed_until <= now]
    return any(copy.serves or copy.host.breaker.loads(now) for copy in copies)
