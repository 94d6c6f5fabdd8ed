"""Knows when calls have only one way: to the only copy of their model."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.placement.copies import Copy, State
from mmos.placement.facts import Call
from mmos.placement.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Way:
    """The only copy that can serve some calls, while the ledger has this epoch."""

    epoch: int
    copy: Copy

    def is_open(self, ledger: Ledger, now: float) -> bool:
        """Whether nothing has changed since it was found, and the copy has a free slot."""
        copy = self.copy
        if self.epoch != ledger.epoch or len(copy.flights) >= copy.slots:
            return False
        return max(copy.closed_until, copy.doubted) <= now and not (copy.host.breaker.on_trial or copy.breaker.on_trial)


def only_way(ledger: Ledger, call: Call) -> Way | None:
    """The way of all calls like this one. None: there are several, or the model is not in memory."""
    copies = ledger.having(call.models)
    if len(copies) != 1 or copies[0].state is not State.RESIDENT:
        return None
    return Way(ledger.epoch, copies[0]) if copies[0].serves and copies[0].holds(call.window) else None
