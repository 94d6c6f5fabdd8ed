"""Counts the GPU-seconds of roles and threads, and says who has used more than its quota."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HOUR = 3600.0
EACH_THREAD = "each_thread"
"""The name of the quota that every thread has for itself."""


@dataclass(frozen=True)
class Quota:
    """What one role or thread may use in an hour."""

    seconds: float
    refuses: bool = False
    """Whether calls beyond it are refused. If not, they wait behind all others."""


@dataclass(frozen=True)
class Excess:
    """A quota that is used up."""

    name: str
    of_thread: bool
    used: float
    quota: Quota
    frees_in: float
    """Seconds until a part of it is free again."""


@dataclass
class Quotas:
    """The work of the last hour. `now` is in seconds of the hosts' clock."""

    limits: Mapping[str, Quota] = field(default_factory=dict)
    """By the name of the role, or `EACH_THREAD`."""
    _spent: dict[tuple[str, str], deque[tuple[float, float]]] = field(default_factory=dict)

    def spend(self, role: str, thread: str, seconds: float, now: float) -> None:
        """Count the work of a call."""
        for key in self._keys(role, thread):
            self._spent.setdefault(key, deque()).append((now, seconds))

    def excess(self, role: str, thread: str, now: float) -> Excess | None:
        """The quota that a new call exceeds: one that refuses it, or else the one that frees last. None: there is none."""
        found = [one for key in self._keys(role, thread) if (one := self._used_up(key, now)) is not None]
        return max(found, key=lambda one: (one.quota.refuses, one.frees_in), default=None)

    def _keys(self, role: str, thread: str) -> Iterable[tuple[str, str]]:
        keys = ((role, ""), (EACH_THREAD, thread))
        return [key for key in keys if key[0] in self.limits]

    def _used_up(self, key: tuple[str, str], now: float) -> Excess | None:
        spent, quota = self._spent.get(key, deque()), self.limits[key[0]]
        while spent and spent[0][0] <= now - HOUR:
            spent.popleft()
        used = left = sum(seconds for _, seconds in spent)
        for since, seconds in spent:
            if left < quota.seconds:
                break
            left -= seconds
            frees = since + HOUR - now
        return Excess(key[0], bool(key[1]), used, quota, frees) if used >= quota.seconds else None
