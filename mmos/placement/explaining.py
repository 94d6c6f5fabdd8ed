"""Explains decisions: where else a call could have gone, and what was against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mmos.placement.cost import Price, price
from mmos.placement.facts import Alternative
from mmos.placement.ledger import Copy, Ledger
from mmos.placement.sending import Choice

MOST = 3
"""Hosts that an explanation names."""


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
    for model in call.models:
        for copy in ledger.by_model.get(model, ()):
            host = copy.host
            if host is here or (call.hosts and host.name not in call.hosts):
                continue
            if host.breaker.until > now or copy.refused > now:
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
