"""Takes what a host lists of its memory into the ledger: which models came, which left, and what that shows of its size."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mmos.placement.copies import Copy, Host, State
from mmos.placement.facts import Resident
from mmos.placement.ledger import Ledger

KEPT = 240.0
"""Seconds for which a host keeps an idle model at least, if it needs no room."""
DOUBT = 1.0
"""Seconds that a host has at most to list its models, after a load that may have pushed some out."""


def doubt(copy: Copy, victims: Collection[Copy], now: float) -> None:
    """A model has come into memory. Those that may have been pushed out for it get no calls until the host has listed its models.

    A host with calls for two models that do not fit together would load them by turns.
    """
    host = copy.host
    others = [other for other in host.residents if other is not copy and other.state is State.RESIDENT]
    if others and host.memory.surely_held(copy.bytes(), [other.bytes() for other in others]):
        others = [other for other in others if other in victims]
    for other in others:
        other.doubted = now + DOUBT


def listed(ledger: Ledger, host: str, models: Iterable[Resident], now: float, asked: float) -> list[Copy]:
    """Note what a host holds in memory, as it listed it when it was asked. Returns the models that it pushed out while they had calls."""
    there, named = ledger.hosts[host], {resident.model: resident for resident in models}
    held = [copy for copy in there.residents if copy.state is State.RESIDENT and copy.since < asked and there.obeys]
    gone, newest = [copy for copy in held if copy.model not in named], there.newest
    _learn_memory(there, named, [copy for copy in gone if now - max(copy.heard, copy.since) < KEPT])
    for copy in gone:
        _leave(ledger, copy, now, again=_returns(copy))
    leaving = there.plan.victims if there.plan is not None else ()
    for model, resident in named.items():
        known = there.copies.get(model)
        if known is None or (known in leaving and known.state is State.ABSENT):
            continue  # the host unloads it when the load begins
        if known.doubted - DOUBT <= asked:
            known.doubted = asked
        if known.state is not State.UNLOADING and known.left < asked:
            _note(ledger, known, resident, now, new=newest == model and known.since < asked)
    return [copy for copy in gone if copy.state is State.LOADING]


def _returns(copy: Copy) -> bool:
    """Whether a host that pushed a model out has calls for it, and for another one: it loads the model again after these."""
    return bool(copy.flights) and any(other.flights for other in copy.host.copies.values() if other is not copy)


def _leave(ledger: Ledger, copy: Copy, now: float, *, again: bool) -> None:
    """A model is in memory no more. The host loads it `again` for its calls, after those of another model."""
    window = copy.window
    ledger.turn(copy, State.ABSENT, now)
    copy.doubted = now
    if again:
        ledger.turn(copy, State.LOADING, now)
        copy.ridden = copy.returning = True
        copy.window, copy.ready = window, now + copy.load


def _note(ledger: Ledger, copy: Copy, resident: Resident, now: float, *, new: bool) -> None:
    """A host lists a model. `new`: for the first time after it was loaded."""
    if 0 < resident.window < copy.window:
        if copy.state is State.LOADING:
            return  # the copy that the load replaces
        if new:
            copy.longest = resident.window  # the host has cut the window that was ordered
    if resident.window and resident.window != copy.window:
        copy.window = resident.window
        ledger.epoch += 1
    copy.measured = resident.size, copy.window
    ledger.turn(copy, State.RESIDENT, now)


def _learn_memory(host: Host, named: Mapping[str, Resident], gone: Collection[Copy]) -> None:
    """A model that left while another was loaded, long before its time, was pushed out, unless other clients load models there, too."""
    host.memory.seen(named.values())
    newest = host.copies.get(host.newest)
    gone = [copy for copy in gone if copy is not newest]
    strange = any(name not in host.copies or host.copies[name].state is State.ABSENT for name in named)
    if gone and newest is not None and not strange:
        beside = [resident.size for name, resident in named.items() if name != newest.model]
        host.memory.pushed_out(newest.claim(newest.window), [*beside, *(copy.bytes() for copy in gone)])
    if host.newest in named:
        host.newest = ""
