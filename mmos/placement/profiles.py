"""The table of load profiles: the one window that all calls and loads of a model use on a host, because another one would load the model again."""

from __future__ import annotations

from mmos.placement.copies import Copy, State
from mmos.placement.ledger import Ledger
from mmos.placement.memory import SHARE_OF_FREE

SMALLEST = 4096
ROOMY = 32768
"""A window is not chosen larger than that, if no call needs it."""
SHARE_OF_MEMORY = 0.4
"""The part of a host's memory that the cache of one model takes at most, if no call needs more."""
USUAL_TOKEN = 2e-5
"""The cache of a token as a part of the weights, if the host does not say: models of 7 to 32 billion parameters take 1.3e-5 to 2.8e-5."""


class Profiles:
    """What a model is loaded with on each host only grows, and a model that is in memory with a larger window is used as it is."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def _copy(self, host: str, model: str) -> Copy:
        return self._ledger.hosts[host].copies[model]

    def is_there(self, host: str, model: str) -> bool:
        """Whether a model is in memory, or is being loaded, as far as is known."""
        copy = self._ledger.hosts[host].copies.get(model)
        return copy is not None and copy.serves

    def reserve(self, host: str, model: str, window: int) -> None:
        """From now on a model is loaded with this window there, or with a larger one."""
        copy = self._copy(host, model)
        if window > copy.least:
            copy.least = window
            self._ledger.epoch += 1

    def settle(self, host: str, model: str, window: int, *, grows: bool) -> int:
        """The window of a call that needs this one: one for all calls that the same copy can serve. `grows`: later calls will need a larger one."""
        copy = self._copy(host, model)
        if not copy.host.machine.loads:
            return window
        window = copy.cut(window)
        copy.grows |= grows
        self.reserve(host, model, window)
        held = copy.window if copy.serves else 0
        return min(held, copy.least) if held >= window else copy.least

    def sent(self, host: str, model: str, window: int) -> int:
        """The window that goes with a call that needs this one: the one that the model has, or is to be loaded with."""
        copy = self._copy(host, model)
        if copy.window and copy.holds(window):
            return copy.window
        return planned(copy, max(copy.least, copy.cut(window)))


def planned(copy: Copy, window: int, *, again: bool = False) -> int:
    """The window with which a model is loaded that needs this one. `again`: it was too small before.

    If its prompts grow, it is as large as the memory allows without pushing out the models that live there.
    """
    if not copy.grows or copy.need.told:  # what the user says holds for this window
        return window
    least, memory = window, copy.host.memory
    longer = copy.cut(max(ROOMY, 2 * least)) if again else least
    every = memory.assumed(_claim(copy, longer) / SHARE_OF_FREE)
    others = [other for other in copy.host.copies.values() if other is not copy]
    free = SHARE_OF_FREE * (every - sum(other.bytes() for other in others if other.state is not State.ABSENT))
    wanted = free - SHARE_OF_FREE * sum(other.bytes() for other in others if other.state is State.ABSENT and other.least)
    free = wanted if _claim(copy, least) <= wanted else free  # if not, they push each other out in any case
    while longer > least and _claim(copy, longer) > free:
        longer = max(least, longer // 2)
    window = longer
    cache = SHARE_OF_MEMORY * every
    while 2 * window <= copy.cut(ROOMY) and _claim(copy, 2 * window) <= free and _cache(copy, 2 * window) <= cache:
        window *= 2
    return window


def _claim(copy: Copy, window: int) -> float:
    return copy.claim(window) if copy.need.token else copy.need.weights + _cache(copy, window)


def _cache(copy: Copy, window: int) -> float:
    return (copy.need.token or USUAL_TOKEN * copy.need.weights) * window
