"""Finds hosts that load no more, keeps loads away from them for a while, and unloads models there so that they go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from mmos.placement.copies import Copy, Flight, Host, State
from mmos.placement.facts import Unload
from mmos.placement.health import Stuck
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Lines
from mmos.placement.overdue import elsewhere
from mmos.placement.plans import Plans

LEAST = 60.0
"""Seconds that a load may take, however small its model is."""
FACTOR = 4.0
"""It may take so many times as long as expected."""
UNTRIED = 3.0
"""A host that has loaded nothing yet may take so many times as long: nobody knows its disk."""
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 960.0
NEXT_RESCUE = 15.0
"""Seconds that a host gets to go on before another model is unloaded, and twice the time of the load."""
LOOK_AGAIN = 3.0


class StuckHosts:
    """The scheduler of an Ollama host can wait for ever for a model to leave, because a call came to that model in the meantime.

    Then it loads nothing, but lists its models and serves those that it holds. It goes on when any model is unloaded. See issue 17408 of Ollama.
    """

    def __init__(self, ledger: Ledger, plans: Plans, lines: Lines, looks: dict[str, None]) -> None:
        self._ledger = ledger
        self._plans = plans
        self._lines = lines
        self._looks = looks
        self.hosts: dict[str, Host] = {}
        """Those that are stuck, and those that were a moment ago."""
        self._looked: dict[str, float] = {}

    @property
    def watches(self) -> bool:
        """Whether a host loads a model that was ordered, or is stuck."""
        return bool(self._plans.begun or self.hosts)

    def moments(self, now: float) -> Iterator[float]:
        """When to look at loads and at stuck hosts again."""
        for name in self._plans.begun:
            copy = self._overdue(name)
            if copy is not None:
                yield max(self._due(copy), self._looked.get(name, -math.inf) + LOOK_AGAIN)
        for host in self.hosts.values():
            if host.breaker.stuck is not None:
                yield from (moment for moment in (host.breaker.stuck.until, host.breaker.stuck.rescue_at) if now < moment < math.inf)

    # ------------------------------------------------------------ what is noticed

    def watch(self, now: float) -> None:
        """Look at the hosts whose loads should have ended. If the model is in memory, the load has."""
        for name in self._plans.begun:
            copy = self._overdue(name)
            if copy is not None and self._due(copy) <= now and self._looked.get(name, -math.inf) + LOOK_AGAIN <= now:
                self._looked[name] = now
                self._looks[name] = None

    def listed(self, name: str, models: Collection[str], asked: float, now: float) -> None:
        """A host has listed the models in its memory."""
        host = self._ledger.hosts[name]
        host.breaker.listed = asked
        stuck = host.breaker.stuck
        if stuck is not None and stuck.model in models and host.copies[stuck.model].state is State.RESIDENT and stuck.load < asked:
            self._goes_on(host)
        foreign = tuple(model for model in models if model not in host.copies)
        if host.breaker.stuck is not None:
            host.breaker.stuck.foreign = foreign
        copy = self._overdue(name)
        if copy is not None and self._due(copy) <= asked:
            self._stick(host, copy.model, self._plans.begun[name], now)
            host.breaker.stuck.foreign = foreign  # type: ignore[union-attr]  # it has just been set
            if not copy.ridden:  # its request stays open, and may still end well
                self._plans.end(host)
                self._ledger.turn(copy, State.ABSENT, now)

    def recall(self, name: str, model: str, since: float) -> None:
        """What an earlier run noticed. The next load shows whether it is still so."""
        host = self._ledger.hosts[name]
        if host.breaker.stuck is None:
            host.breaker.stuck = Stuck(model, -math.inf, since, -math.inf, rescue_at=math.inf)
            self.hosts[name] = host

    @property
    def models(self) -> dict[str, str]:
        """For each host that loads no more, the model that it did not load, or not unload."""
        return {name: host.breaker.stuck.model for name, host in self.hosts.items() if host.breaker.stuck is not None}

    def keeps(self, name: str, model: str, now: float) -> None:
        """A host answers, and does not unload a model that it was told to unload."""
        host = self._ledger.hosts[name]
        copy = host.copies.get(model)
        if copy is not None and copy.state is State.UNLOADING:
            self._ledger.turn(copy, State.RESIDENT, now)
        if host.plan is not None and name not in self._plans.begun:
            self._plans.end(host)
        self._stick(host, model, now, now)

    def _stick(self, host: Host, model: str, load: float, now: float) -> None:
        known = host.breaker.stuck
        tries = known.tries + 1 if known else 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(10, tries - 1))
        host.breaker.stuck = Stuck(model, load, known.since if known else now, now + pause, tries, now)
        self.hosts[host.name] = host
        self._ledger.epoch += 1

    def _goes_on(self, host: Host) -> None:
        host.breaker.stuck = None
        self._ledger.epoch += 1

    def _overdue(self, name: str) -> Copy | None:
        """The model that a host loads, if that load was not judged yet."""
        host = self._ledger.hosts[name]
        plan, stuck = host.plan, host.breaker.stuck
        if plan is None or plan.copy.state is not State.LOADING or (stuck is not None and stuck.load >= self._plans.begun[name]):
            return None
        return plan.copy

    def _due(self, copy: Copy) -> float:
        host = copy.host
        tried = any(self._ledger.loads.tried(host.name, model) for model in host.copies)
        return self._plans.begun[host.name] + (1.0 if tried else UNTRIED) * max(LEAST, FACTOR * copy.load)

    # ------------------------------------------------------------ what is done

    def recalls(self, now: float) -> list[Flight]:
        """The calls that wait for such a load, although another host can serve them."""
        loading = (host.plan.copy for host in self.hosts.values() if host.breaker.stuck and host.plan and not self._overdue(host.name))
        flights = [flight for copy in loading if copy.state is State.LOADING for flight in copy.flights.values()]
        return [flight for flight in flights if elsewhere(self._ledger, flight, now)]

    def rescues(self, now: float) -> Iterator[Unload]:
        """The next model to unload on each stuck host: one that no call uses, if there is one."""
        for host in list(self.hosts.values()):
            stuck = host.breaker.stuck
            if stuck is None:
                self._forget(host)
            elif stuck.rescue_at <= now and (model := self._victim(host, stuck)):
                loading = host.plan.copy.load if host.plan is not None else 0.0
                stuck.rescue_at = now + NEXT_RESCUE + 2.0 * loading
                if host.plan is None:  # nobody waits for a load there: the next one shows whether that helped
                    stuck.until, stuck.rescue_at = min(stuck.until, now + 1.0), math.inf
                if model in host.copies:
                    self._ledger.turn(host.copies[model], State.UNLOADING, now)
                stuck.foreign = tuple(other for other in stuck.foreign if other != model)
                yield Unload(host.name, model, rescue=True)

    def _forget(self, host: Host) -> None:
        del self.hosts[host.name]
        for copy in host.copies.values():
            copy.leaving = host.plan is not None and copy in host.plan.victims

    def _victim(self, host: Host, stuck: Stuck) -> str:
        """The model that is missed least. Empty: there is none now. A busy one leaves only when calls wait for a load that no other host can do."""
        if not (host.machine.unloads and host.obeys):
            return ""
        copies = [copy for copy in host.copies.values() if copy.state is State.RESIDENT and not copy.pinned and copy.model != stuck.model]
        idle = sorted(
            (copy for copy in copies if not copy.flights),
            key=lambda copy: (not copy.leaving, self._lines.want(copy.model, copy.host.name), copy.heard),
        )
        if idle or stuck.foreign:
            return idle[0].model if idle else stuck.foreign[0]
        if host.plan is not None and copies and not any(copy.leaving for copy in copies):
            min(copies, key=lambda copy: len(copy.flights)).leaving = True  # its calls end, and no more come
            self._ledger.epoch += 1
        return ""
