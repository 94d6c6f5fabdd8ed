"""Finds attempts that show no progress although another host could serve their calls."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from mmos.placement.copies import Flight, State
from mmos.placement.ledger import Ledger

LEAST = 30.0
"""Seconds without a part of the reply that a call has at least, while its model answers others."""
ANSWER = 3.0
"""Seconds in which a host lists its loaded models, if it is alive."""


class Overdue:
    """Looks at each attempt when it should have shown progress."""

    def __init__(self, ledger: Ledger, looks: dict[str, None], *, queues: bool) -> None:
        """`queues`: whether calls wait on the hosts, as with a classic policy. Then a call may be without progress for long while others get theirs."""
        self._ledger = ledger
        self._queues = queues
        self._looks = looks
        self._deadlines: list[tuple[float, int]] = []
        self._begun: set[int] = set()
        """Attempts of which a part of the reply has come."""

    def watch(self, flight: Flight) -> None:
        settings = self._ledger.settings
        due = flight.sent + settings.overdue_factor * flight.seconds + settings.overdue_seconds  # most calls have ended by then
        heappush(self._deadlines, (self._due(flight) if self._queues else due, flight.attempt))

    def begun(self, attempt: int) -> None:
        self._begun.add(attempt)

    @property
    def next(self) -> list[float]:
        """When an attempt must be looked at next. Empty: there is none."""
        return [self._deadlines[0][0]] if self._deadlines else []

    def found(self, now: float) -> Iterator[tuple[Flight, bool]]:
        """The attempts to recall, and whether the host is silent."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, attempt = heappop(self._deadlines)
            flight = self._ledger.flights.get(attempt)
            if flight is None:
                self._begun.discard(attempt)
                continue
            due = self._due(flight)
            if due <= now and flight.copy.state is State.LOADING and now < due + ANSWER:
                self._looks[flight.copy.host.name] = None  # a host that answers is alive, and its load is looked after elsewhere
                heappush(self._deadlines, (due + ANSWER, attempt))
            elif due > now or self._is_alive(flight, due) or not elsewhere(self._ledger, flight, now):
                again = now + self._ledger.settings.overdue_seconds
                heappush(self._deadlines, (max(due, again) if due <= now or self._queues else due, attempt))
            else:
                yield flight, self._silent(flight) <= now

    def _due(self, flight: Flight) -> float:
        """When the host counts as silent, or the call as forgotten there while the host answers others."""
        silent = self._silent(flight)
        if self._queues or flight.attempt in self._begun:
            return silent
        terms, settings = flight.send.terms, self._ledger.settings
        patience = settings.overdue_factor * (terms.wait + terms.others + self._expected(flight)) + settings.overdue_seconds
        return min(silent, flight.sent + max(LEAST, patience) * self._longer(flight))

    def _silent(self, flight: Flight) -> float:
        """A model that works on other calls shows progress, too; one that is being loaded, if any model does."""
        copy, settings = flight.copy, self._ledger.settings
        heard = copy.heard if copy.state is State.RESIDENT else copy.host.heard
        patience = settings.overdue_factor * self._expected(flight) + settings.overdue_seconds
        return max(heard, flight.sent) + patience * self._longer(flight)

    @staticmethod
    def _expected(flight: Flight) -> float:
        return flight.seconds + (0.0 if flight.copy.state is State.RESIDENT else flight.copy.load)

    @staticmethod
    def _longer(flight: Flight) -> float:
        """Two slow hosts must not pass a call to and fro."""
        return 2.0 ** min(10, flight.waiting.attempts)

    def _is_alive(self, flight: Flight, due: float) -> bool:
        """Whether the host of a load has listed its models since then."""
        return flight.copy.state is State.LOADING and flight.copy.host.breaker.listed >= due


def elsewhere(ledger: Ledger, flight: Flight, now: float) -> bool:
    """Whether another host can serve the call, or load a model for it."""
    call = flight.waiting.call
    copies = [copy for copy in ledger.having(call.models, call.hosts) if copy.host is not flight.copy.host and copy.closed_until <= now]
    return any(copy.serves or copy.host.breaker.loads(now) for copy in copies)
