"""Computes what a call costs on a host, in seconds and in named terms."""

from __future__ import annotations

from typing import TypeAlias

from mmos.placement.copies import Copy
from mmos.placement.facts import Call, Terms
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Waiting

AVOIDED = 15.0
"""The price of the host that failed the call last."""
Price: TypeAlias = tuple[float, float, float, float, float, float, float]
"""The values of `Terms`, in its order."""


def price(ledger: Ledger, copy: Copy, waiting: Waiting, now: float, ahead: float) -> Price:
    """The terms of a call on a copy, after `ahead` others that have been promised a place there."""
    call, read = waiting.call, copy.read
    credit, lost = copy.prefixes.outlook(call, now)
    output = ledger.output(call, copy.model)
    reluctance = 0.0
    if call.reluctance:
        reluctance = call.reluctance * call.models.index(copy.model)
    if waiting.avoid == copy.host.name:
        reluctance += AVOIDED
    return (
        copy.free_at(now, ahead),
        (call.prompt_tokens - credit) * read,
        output * copy.write,
        credit * read,
        lost * read,
        copy.host.foreign(now),
        reluctance,
    )


def price_at_once(ledger: Ledger, copy: Copy, call: Call, now: float) -> Price:
    """The terms of a new call on a copy with a free slot."""
    (credit, lost), read = copy.prefixes.outlook(call, now), copy.read
    written = ledger.output(call, copy.model) * copy.write
    others = copy.host.foreign(now) if copy.host.others else 0.0
    return 0.0, (call.prompt_tokens - credit) * read, written, credit * read, lost * read, others, 0.0


def total(prices: Price) -> float:
    """The sum of the terms. What the cache saves is no term: it is left out of the reading."""
    return prices[0] + prices[1] + prices[2] + prices[4] + prices[5] + prices[6]


def work(ledger: Ledger, copy: Copy, call: Call) -> float:
    """The seconds that a call takes of a host, the reading of its whole prompt included."""
    return copy.seconds(call.prompt_tokens, ledger.output(call, copy.model))


def terms(prices: Price) -> Terms:
    return Terms(*prices)
