"""Carries out loads that were decided: the victims end their calls, then they leave, then the load begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mmos.placement.copies import Copy, Host, Plan, State
from mmos.placement.facts import Load, LoadTerms, Unload
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Line
from mmos.placement.listing import doubt
from mmos.placement.profiles import planned


class Plans:
    """At most one planned load for each host."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.open = 0
        """How many there are."""
        self.begun: dict[str, float] = {}
        """When the load of each host began."""

    def adopt(self, plan: Plan, now: float) -> None:
        """From now on the victims get no calls, and the waiting calls count on the load."""
        plan.copy.host.plan = plan
        ends = [flight.sent + flight.seconds - now for victim in plan.victims for flight in victim.flights.values()]
        plan.copy.ready = now + max(0.0, max(ends, default=0.0)) + plan.copy.load
        self._opened(plan)

    def expect(self, copy: Copy) -> None:
        """A host pushed a model out that has calls: it loads the model again for them when one of the others has none. Until then these get no more."""
        host = copy.host
        if host.plan is not None and host.plan.begun:
            host.returning.append(copy)
            return
        self.end(host)
        others = [other for other in host.residents if other is not copy and other.state is State.RESIDENT]
        stay = not all(other.flights for other in others) or host.memory.fits(copy.claim(copy.window), [other.bytes() for other in others])
        host.plan = Plan(copy, copy.window, () if stay else tuple(others), 0.0, 0.0, begun=True, ridden=True)
        self.begun[host.name] = copy.ready - copy.load
        self._opened(host.plan)

    def _opened(self, plan: Plan) -> None:
        self.open += 1
        for victim in plan.victims:
            victim.leaving = True
        self._ledger.epoch += 1

    def end(self, host: Host) -> None:
        """The load has ended, or it is given up: victims that are still there stay."""
        if host.plan is None:
            return
        for victim in host.plan.victims:
            victim.leaving = False
        host.plan = None
        self.begun.pop(host.name, None)
        self.open -= 1
        self._ledger.epoch += 1
        while host.returning and host.plan is None:
            if (copy := host.returning.pop(0)).state is State.LOADING and copy.ridden:
                self.expect(copy)

    def ride(self, copy: Copy) -> None:
        """A call is the load."""
        copy.ridden = True
        if copy.host.plan is not None:
            copy.host.plan.ridden = True

    def arrived(self, copy: Copy, now: float) -> bool:
        """A call that loads its model shows progress or has ended: the model is in memory. Returns whether that is news."""
        if copy.state is not State.LOADING or not copy.ridden:
            return False
        self.settled(copy, now)
        copy.host.breaker.stuck = None
        copy.host.newest = copy.model
        return True

    def settled(self, copy: Copy, now: float) -> None:
        """A load has brought a model into memory."""
        plan = copy.host.plan
        self._ledger.turn(copy, State.RESIDENT, now)
        doubt(copy, plan.victims if plan is not None and plan.copy is copy else (), now)
        self._end_of(copy)

    def left(self, copy: Copy, now: float) -> None:
        """A call has left a copy. When it was the last of those that load it, the load has not happened."""
        if copy.state is State.LOADING and copy.ridden and not copy.flights and not copy.outlived:
            self._ledger.turn(copy, State.ABSENT, now)
            self._end_of(copy)

    def _end_of(self, copy: Copy) -> None:
        """The load of a copy is over. Another one may be planned there."""
        if copy.is_planned:
            self.end(copy.host)

    def steps(self, lines: Iterable[Line], now: float) -> Iterator[Load | Unload]:
        """Take each plan as far as it goes now."""
        for host in self._ledger.hosts.values():
            plan = host.plan
            if plan is None:
                continue
            if plan.begun:
                if plan.ridden and plan.copy.state is not State.LOADING:  # the host listed the model before the call showed progress
                    self.end(host)
                continue
            if host.breaker.is_open(now) or self._is_needless(plan, lines):
                self.end(host)
                continue
            yield from self._step(host, plan, now)

    def _step(self, host: Host, plan: Plan, now: float) -> Iterator[Load | Unload]:
        if self._is_try(plan):
            if not any(victim.flights for victim in plan.victims):
                yield self._begin(host, plan, now)
            return
        for victim in plan.victims:
            if victim.state is State.RESIDENT and not victim.flights:
                self._ledger.turn(victim, State.UNLOADING, now)
                yield Unload(host.name, victim.model)
        if all(victim.state is State.ABSENT for victim in plan.victims):
            yield self._begin(host, plan, now)

    def _is_try(self, plan: Plan) -> bool:
        """Whether the host decides who must leave: MMOS may not, or the model may fit beside its victims after all, in a memory of unknown size."""
        copy, host = plan.copy, plan.copy.host
        if not plan.victims or copy.state is not State.ABSENT or any(victim.state is State.UNLOADING for victim in plan.victims):
            return False
        beside = [other.bytes() for other in host.residents if other is not copy]
        return not host.machine.unloads or host.memory.may_fit(copy.claim(plan.window), beside)

    def _is_needless(self, plan: Plan, lines: Iterable[Line]) -> bool:
        """Whether nobody waits for the load any more, and no victim has left for it."""
        return (
            bool(plan.victims)
            and not plan.ahead
            and all(victim.state is State.RESIDENT for victim in plan.victims)
            and not any(len(line) and plan.copy.model in line.kind[0] for line in lines)
        )

    def _begin(self, host: Host, plan: Plan, now: float) -> Load:
        plan.begun, self.begun[host.name] = True, now
        copy: Copy = plan.copy
        plan.window = planned(copy, plan.window, again=copy in plan.victims)
        copy.ready, copy.window = now + copy.load, plan.window
        self._ledger.turn(copy, State.LOADING, now)
        host.newest = copy.model
        weighed = LoadTerms(copy.load, plan.gain, plan.loss, max((victim.load for victim in plan.victims), default=0.0))
        return Load(host.name, copy.model, plan.window, tuple(victim.model for victim in plan.victims), weighed)
