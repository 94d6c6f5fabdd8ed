"""Keeps roles and threads within the models and the share of memory that they may use at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmos.placement.copies import Copy
from mmos.placement.facts import Limit
from mmos.placement.ledger import Ledger
from mmos.placement.memory import GIB


def allows(ledger: Ledger, limits: Sequence[Limit], copy: Copy, window: int = 0) -> bool:
    """Whether calls under these limits may use a copy now. `window`: what it would be loaded with."""
    return all(not _exceeds(ledger, limit, copy, window) for limit in limits)


def against(ledger: Ledger, limits: Sequence[Limit], copies: Sequence[Copy]) -> tuple[Limit, str] | None:
    """The limit that keeps calls from all of these copies, and what is used of it. None: there is none."""
    for limit in limits:
        if copies and all(_exceeds(ledger, limit, copy, 0) for copy in copies):
            return limit, _told(ledger, limit)
    return None


def too_small(ledger: Ledger, limits: Sequence[Limit], copies: Sequence[Copy]) -> tuple[Limit, str] | None:
    """The limit that none of these copies would ever meet, and why. None: there is none."""
    for limit in limits:
        if limit.share is not None and copies and all(copy.bytes() > limit.share * _memory(ledger) for copy in copies):
            least = min(copy.bytes() for copy in copies)
            return (
                limit,
                f"it needs {least / GIB:.1f} GB, and {limit.name} may use {limit.share * _memory(ledger) / GIB:.1f} GB of the hosts' memory",
            )
    return None


def _exceeds(ledger: Ledger, limit: Limit, copy: Copy, window: int) -> bool:
    used = _used(ledger, limit)
    if copy in used:
        return False
    if limit.models is not None and len(used) >= limit.models:
        return True
    return limit.share is not None and _bytes(used) + copy.bytes(window) > limit.share * _memory(ledger)


def _used(ledger: Ledger, limit: Limit) -> dict[Copy, None]:
    """The copies that work for the owner of a limit, or are being loaded for it."""
    used = {flight.copy: None for flight in ledger.flights.values() if any(one.owner == limit.owner for one in flight.waiting.call.limits)}
    plans = (host.plan for host in ledger.hosts.values() if host.plan is not None)
    return used | {plan.copy: None for plan in plans if any(one.owner == limit.owner for one in plan.limits)}


def _told(ledger: Ledger, limit: Limit) -> str:
    used = _used(ledger, limit)
    where = f": {', '.join(f'{copy.model} on {copy.host.name}' for copy in used)}" if used else ""
    if limit.models is not None and len(used) >= limit.models:
        return f"{limit.name} uses {len(used)} of {limit.models} models at once{where}"
    return (
        f"{limit.name} uses {_bytes(used) / GIB:.1f} of {(limit.share or 0.0) * _memory(ledger) / GIB:.1f} GB of the hosts' memory{where}"
    )


def _bytes(copies: Iterable[Copy]) -> float:
    return sum(copy.bytes() for copy in copies)


def _memory(ledger: Ledger) -> float:
    """The memory of all hosts that load models: as configured, or the least that they probably have."""
    return sum(host.memory.assumed() for host in ledger.hosts.values() if host.machine.loads)
