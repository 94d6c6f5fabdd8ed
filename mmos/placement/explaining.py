"""Explains decisions: where else a call could have gone, what was against it, and what a waiting call can expect."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mmos.placement.allowances import against
from mmos.placement.copies import Copy, Flight, State
from mmos.placement.cost import Price, price
from mmos.placement.facts import Alternative, Outlook, Planned, Standing, Standstill
from mmos.placement.fluid import drained_at
from mmos.placement.forecasting import Forecast, Planning, forecast
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Kind, Line, Waiting
from mmos.placement.loading import Loader
from mmos.placement.sending import Choice
from mmos.placement.waiting import Wait, expected_wait

MOST = 3
"""Hosts that an explanation names."""
NEARLY_DONE = 0.99
"""A load that has not ended is never shown as further."""


def others(ledger: Ledger, choice: Choice, now: float) -> tuple[Alternative, ...]:
    """The hosts where a call would have ended next."""
    models = choice.waiting.call.models
    if len(models) == 1 and len(ledger.by_model.get(models[0], ())) < 2:
        return ()
    found = sorted(_seconds(ledger, choice, now), key=lambda one: one[:2])
    best = {one[1]: one for one in reversed(found)}  # a host may have several of the models
    return tuple(_alternative(choice.price, one) for one in [one for one in found if best[one[1]] is one][:MOST])


def _seconds(ledger: Ledger, choice: Choice, now: float) -> Iterator[tuple[float, str, Copy, Price | None]]:
    """Each copy elsewhere, with the seconds until the answer: infinite if it is closed, without a price if it is not in memory."""
    call, here = choice.waiting.call, choice.copy.host
    weighed = {copy: prices for prices, copy in choice.weighed}
    output = ledger.output(call, choice.copy.model)
    for copy in ledger.having(call.models, call.hosts):
        host = copy.host
        if host is here:
            continue
        if copy.closed_until > now:
            yield float("inf"), host.name, copy, None
            continue
        prices = weighed.get(copy)
        if prices is None and copy.serves and not 0 < copy.window < call.window:
            prices = price(ledger, copy, choice.waiting, now, 0.0)
        if prices is None:
            yield copy.load + copy.seconds(call.prompt_tokens, output), host.name, copy, None
        else:
            yield prices[0] + prices[1] + prices[2] + prices[5], host.name, copy, prices


def _alternative(chosen: Price, found: tuple[float, str, Copy, Price | None]) -> Alternative:
    seconds, host, copy, prices = found
    if prices is not None:
        return Alternative(host, seconds, prices[0] + prices[5], _against(chosen, prices))
    return Alternative(host, None, 0.0, "closed") if seconds == float("inf") else Alternative(host, seconds, copy.load, "load")


def _against(chosen: Price, other: Price) -> Literal["busy", "cache", "slower"]:
    """What costs most time there, in comparison."""
    waiting = other[0] + other[5] - chosen[0] - chosen[5]
    reading, writing = other[1] - chosen[1], other[2] - chosen[2]
    if waiting > 0 and waiting >= max(reading, writing):
        return "busy"
    return "cache" if reading > writing and chosen[3] > other[3] else "slower"


def _outlook(ledger: Ledger, loader: Loader, waiting: Waiting, now: float) -> Outlook | None:
    if waiting.line is None:
        flight = ledger.flights.get(waiting.attempt)
        return None if flight is None else _on_host(flight, now)
    before, pool = waiting.line.position(waiting), loader.pool(waiting.line)
    limits = waiting.call.limits
    if limits and (held := against(ledger, limits, ledger.having(waiting.call.models, waiting.call.hosts))) is not None:
        return Outlook(before + 1, None, held=held[1])
    if pool.taps and all(copy.state is State.LOADING for copy in pool.taps):
        first = min(pool.taps, key=lambda copy: (copy.ready, copy.host.name))
        if before < first.slots:
            return Outlook(0, _left(first, now), _part(first, now), first.host.name)
    seconds = drained_at(before, pool.taps.values())
    sent_ahead = sum(max(0, len(copy.flights) - copy.slots) for copy in pool.taps)
    return Outlook(before + sent_ahead + 1, seconds if math.isfinite(seconds) else None)


def _on_host(flight: Flight, now: float) -> Outlook | None:
    copy = flight.copy
    if copy.state is State.LOADING:
        return Outlook(0, _left(copy, now), _part(copy, now), copy.host.name, copy.host.breaker.stuck is not None)
    place = list(copy.flights).index(flight.attempt) - copy.slots
    return None if place < 0 else Outlook(place + 1, max(0.0, flight.sent + flight.send.terms.wait - now), host=copy.host.name)


def _left(copy: Copy, now: float) -> float | None:
    """Seconds until a load ends. None: it takes longer than usual."""
    return copy.ready - now if copy.ready > now else None


def _part(copy: Copy, now: float) -> float:
    return min(NEARLY_DONE, max(0.0, 1.0 - (copy.ready - now) / copy.load)) if copy.load > 0 else 0.0


def standstills(ledger: Ledger, now: float) -> dict[str, Standstill]:
    """The hosts that load no more."""
    breakers = {name: host.breaker for name, host in ledger.hosts.items()}
    return {name: Standstill(breaker.stuck.model, now - breaker.stuck.since) for name, breaker in breakers.items() if breaker.stuck}


def _planned(ledger: Ledger, now: float) -> Iterator[Planned]:
    for host in ledger.hosts.values():
        if (plan := host.plan) is not None:
            part = _part(plan.copy, now) if plan.begun else 0.0
            yield Planned(
                host.name, plan.copy.model, tuple(victim.model for victim in plan.victims), plan.begun, _left(plan.copy, now), part
            )


@dataclass(frozen=True)
class Explainer:
    """The part of the engine that says what waiting calls can expect."""

    ledger: Ledger
    lines: Mapping[Kind, Line]
    calls: Mapping[str, Waiting]
    loader: Callable[[float], Loader]

    def outlooks(self, calls: Iterable[str], now: float) -> dict[str, Outlook]:
        """What each of these calls can expect that waits in a line or on a host."""
        loader = self.loader(now)
        found = {call: _outlook(self.ledger, loader, self.calls[call], now) for call in calls if call in self.calls}
        return {call: outlook for call, outlook in found.items() if outlook is not None}

    def ahead(self, call: str) -> int:
        """How many calls are before a call in its line."""
        waiting = self.calls[call]
        return 0 if waiting.line is None else waiting.line.position(waiting)

    def standing(self, now: float) -> Standing:
        """The loads that have not ended, and how many calls wait for each model."""
        waiting: Counter[str] = Counter()
        for line in self.lines.values():
            if len(line):
                waiting[line.kind[0][0]] += len(line)
        used = {name: sum(copy.bytes() for copy in host.residents) for name, host in self.ledger.hosts.items()}
        return Standing(tuple(_planned(self.ledger, now)), waiting, standstills(self.ledger, now), used)

    def forecast(self, stages: Iterable[Sequence[Planning]], now: float) -> Forecast:
        """What a job of several models costs, if nobody else asks."""
        return forecast(self.ledger, stages, now)

    def expected_wait(self, model: str, hosts: Collection[str], now: float) -> Wait | None:
        """How long a new call would wait. None: nobody knows."""
        return expected_wait(self.ledger, self.lines.values(), model, hosts, now)
