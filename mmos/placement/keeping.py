"""Says how long a host should keep each model when it is idle. By this the host itself chooses who leaves first: the shortest time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mmos.placement.copies import Copy, Host, State
from mmos.placement.habits import Habits, Hour
from mmos.placement.ledger import Ledger
from mmos.placement.warming import Warming

PLANNED = 3600.0
"""For a model whose next call is expected. No longer: a process that dies must not leave a model behind for a day."""
POPULAR = 1800.0
ONCE = 120.0
"""For a model that was asked once and then no more, while others need its room."""
OFTEN = 2.5
"""A model that was asked three times lately is popular. Older calls count a little less."""
USUAL = 0.5
"""So is one that is asked at this hour with such a chance."""
QUIET = 60.0
"""Seconds without a call after which a model may count as asked once."""
NEVER = -math.inf
BUSY_ELSEWHERE = 0.5
"""Seconds that calls wait for those of other clients. Then MMOS does not know what is idle."""


class Keeping:
    """Where all models fit together, the host's own time is as good as any, so nothing is said."""

    def __init__(self, ledger: Ledger, warming: Warming, habits: Habits) -> None:
        self._ledger = ledger
        self._warming = warming
        self._habits = habits

    def at_load(self, host: str, model: str, moment: Hour) -> float | None:
        """Seconds that go with a load. None: as the host decides."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        return self._worth(copy, moment) if copy is not None and self._is_crowded(there) else None

    def changes(self, moment: Hour, now: float) -> Iterator[tuple[Copy, float]]:
        """The idle models in memory for which a time can be said without harm, each with it."""
        for host in self._ledger.hosts.values():
            if host.plan is None and host.obeys and host.foreign(now) < BUSY_ELSEWHERE and self._is_crowded(host):
                for copy in host.residents:
                    if copy.state is State.RESIDENT and copy.window and not copy.flights and not copy.leaving:
                        seconds = self._worth(copy, moment) or (ONCE if now - copy.heard > QUIET else None)
                        if seconds is not None:
                            yield copy, seconds

    def _worth(self, copy: Copy, moment: Hour) -> float | None:
        if self._warming.wants(copy):
            return PLANNED
        known = self._ledger.sequence.known(copy.model)
        often = known is not None and known[0] >= OFTEN
        return POPULAR if often or self._habits.at(moment).get(copy.model, 0.0) >= USUAL else None

    def _is_crowded(self, host: Host) -> bool:
        """Whether the models that are used here do not fit into its memory together."""
        tried = self._ledger.loads.tried
        used = [
            copy for copy in host.copies.values() if copy.state is not State.ABSENT or copy.since > NEVER or tried(host.name, copy.model)
        ]
        return len(used) > 1 and sum(copy.bytes() for copy in used) > host.memory.assumed()
