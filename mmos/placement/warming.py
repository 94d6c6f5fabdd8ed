"""Loads models for calls that have not come yet, where that delays nobody: a model that is expected on an idle host."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmos.placement.copies import Copy, Host, Plan
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Kind, Line
from mmos.placement.loading import Loader
from mmos.placement.plans import Plans

AGAIN = 5.0
"""Seconds after which a load that was not worth it is weighed again: what others ask for changes."""
MARGIN = 2.0
"""Seconds that a load must be expected to save, beyond what it costs the models that leave for it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A model whose next call is foreseen."""

    models: tuple[str, ...]
    """Any of them may answer. The first one is loaded."""
    hosts: tuple[str, ...] = ()
    """Empty: any host that has it."""
    window: int = 0
    chance: float = 1.0
    """How likely the call is."""


class Warming:
    """The part of the engine that knows which calls are expected. Each job says what it expects, and takes it back when that is over."""

    def __init__(self, ledger: Ledger, plans: Plans, lines: Mapping[Kind, Line]) -> None:
        self._ledger = ledger
        self._plans = plans
        self._lines = lines
        self._jobs: dict[str, Sequence[Expected]] = {}
        self._weighed: tuple[int, int, bool] | None = None
        self._again = math.inf

    @property
    def is_open(self) -> bool:
        """Whether something is expected, and the hosts have changed since it was weighed."""
        return bool(self._jobs) and self._weighed != self._state()

    def is_due(self, now: float) -> bool:
        return self.is_open or (bool(self._jobs) and now >= self._again)

    @property
    def next(self) -> list[float]:
        """When to weigh again although nothing happens."""
        return [self._again] if self._jobs and self._again < math.inf else []

    def _state(self) -> tuple[int, int, bool]:
        return self._ledger.epoch, len(self._ledger.flights), any(map(len, self._lines.values()))

    def expect(self, job: str, calls: Sequence[Expected]) -> None:
        """From now on a job expects these calls, and no others."""
        self._weighed = None
        if calls:
            self._jobs[job] = calls
        else:
            self._jobs.pop(job, None)

    def wants(self, copy: Copy) -> bool:
        """Whether a call is expected that it could serve."""
        return any(self._chance(copy, calls) > 0 for calls in self._jobs.values())

    def is_there(self, call: Expected, now: float) -> bool:
        """Whether a model of it is in memory, or will soon be, on a host that works."""
        copies = self._ledger.having(call.models, call.hosts)
        return any(copy.closed_until <= now and (copy.is_planned or (copy.serves and copy.holds(call.window))) for copy in copies)

    def adopt(self, loader: Loader, now: float) -> None:
        """Plan the loads that are worth it, the surest first."""
        calls = [call for calls in self._jobs.values() for call in calls]
        missing = [call for call in sorted(calls, key=lambda call: -call.chance) if not self.is_there(call, now)]
        for call in missing:
            if (plan := self._best(loader, call, calls)) is not None:
                self._plans.adopt(plan, now)
        self._again = now + AGAIN if missing else math.inf
        self._weighed = self._state()

    def _best(self, loader: Loader, call: Expected, calls: Sequence[Expected]) -> Plan | None:
        found = []
        for copy in loader.loadable(call.models[0], call.hosts, call.window):
            plan = self._plan(loader, call, copy, calls)
            if plan is not None and plan.gain - plan.loss > MARGIN:
                found.append((plan.gain - plan.loss - copy.usual, copy.host.name, plan))
        return max(found, key=lambda one: one[:2])[2] if found else None

    def _plan(self, loader: Loader, call: Expected, copy: Copy, calls: Sequence[Expected]) -> Plan | None:
        """The load of a copy. None: it would be in somebody's way."""
        window = copy.cut(max(copy.window, copy.least, call.window))
        victims = loader.victims(copy, window)
        if victims is None or self._is_needed(copy.host):
            return None
        if victims and (copy.host.in_flight or not copy.host.machine.unloads):
            return None
        loss = sum(max(loader.keeping(victim), self._chance(victim, calls) * victim.load) for victim in victims if victim is not copy)
        return Plan(copy, window, victims, call.chance * copy.load, loss, ahead=True)

    def _is_needed(self, host: Host) -> bool:
        """Whether calls wait that a host could serve."""
        lines = (line for line in self._lines.values() if len(line) and line.allows(host.name))
        return any(model in host.copies for line in lines for model in line.kind[0])

    def _chance(self, copy: Copy, calls: Sequence[Expected]) -> float:
        """How likely it is that a copy is wanted soon."""
        wanted = [call.chance for call in calls if copy.model in call.models and (not call.hosts or copy.host.name in call.hosts)]
        return max(wanted, default=0.0)
