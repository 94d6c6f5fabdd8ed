"""Looks after loads that no call carries: those whose calls have left, and those that are in the way of others. Notes what failed."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.placement.allowances import against, too_small
from mmos.placement.copies import Copy, Flight, State
from mmos.placement.facts import Call, Failure
from mmos.placement.health import NOT_THE_HOST, REFUSED
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Lines
from mmos.placement.loading import MUCH_SLOWER
from mmos.placement.plans import Plans
from mmos.placement.sending import Sender


class Upkeep:
    """The part of the engine that knows loads without calls, and failures."""

    def __init__(self, ledger: Ledger, plans: Plans, sender: Sender, lines: Lines, looks: dict[str, None]) -> None:
        self._ledger = ledger
        self._plans = plans
        self._sender = sender
        self._lines = lines
        self._looks = looks
        self.misplaced: list[Flight] = []
        """Calls on hosts where their models do not fit, that could be served elsewhere."""

    def fault(self, copy: Copy, failure: Failure, now: float, pause: float | None) -> None:
        """A call or a load has failed. What says nothing of its host closes only the model there, and an error counts for both."""
        if failure in NOT_THE_HOST:
            copy.breaker.until = now + REFUSED[failure]
            if copy.state is State.LOADING:
                self._plans.end(copy.host)
            self._ledger.turn(copy, State.ABSENT, now)
        elif failure != "silent" or copy.state is State.RESIDENT or copy.host.breaker.stuck is None:
            copy.host.breaker.failed(failure, now, pause)
            if failure == "error":
                copy.breaker.failed(failure, now)
        self._looks[copy.host.name] = None

    def insist(self, call: Call, now: float) -> None:
        """A call does not wait for hosts that failed. When all its hosts are closed to it, the one that would open first takes it."""
        copies = self._ledger.having(call.models, call.hosts)
        first = min(copies, key=lambda copy: (copy.closed_until, copy.host.name), default=None)
        if first is not None and first.closed_until > now:
            first.breaker.until = first.host.breaker.until = now

    def stays(self, host: str) -> bool:
        """Whether a model stays in the memory of a host when those that were ordered to leave have left."""
        return any(copy.state is not State.UNLOADING for copy in self._ledger.hosts[host].residents)

    def loaded(self, host: str, model: str, seconds: float, now: float) -> None:
        """A load that was ordered has ended."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        if copy is not None:
            if there.breaker.stuck is None:
                self._ledger.learn_load(copy, seconds)
            self._plans.settled(copy, now)
            there.breaker.answered()
            copy.breaker.answered()
            there.breaker.stuck = None
            copy.heard = there.heard = now
            self._looks[host] = None

    def load_failed(self, host: str, model: str, failure: Failure, now: float) -> None:
        """A load that was ordered has failed. The host is asked what it holds."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        self._plans.end(there)
        if copy is not None:
            self._ledger.turn(copy, State.ABSENT, now)
            self.fault(copy, failure, now, None)

    def unloaded(self, host: str, model: str, now: float, *, done: bool = True) -> None:
        """An unload that was ordered has ended. `done`: the model is gone. If not, the host did not answer."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        if copy is not None and copy.state is State.UNLOADING:
            self._ledger.turn(copy, State.ABSENT if done else State.RESIDENT, now)
        if not done:
            self._plans.end(there)
            there.breaker.failed("gone", now)
            self._looks[host] = None

    def disobeys(self, host: str, now: float) -> None:
        """A host refuses to unload a model, as behind a proxy that passes only calls. From now on all its models count as loaded."""
        there = self._ledger.hosts[host]
        self._plans.end(there)
        there.obeys = False
        for copy in there.copies.values():
            self._ledger.turn(copy, State.RESIDENT, now)

    def pinned_out(self, call: Call) -> dict[str, list[str]]:
        """The hosts of a call, with the pinned models beside which none of its models fits. Empty: there is a host where one can be loaded."""
        found: dict[str, list[str]] = {}
        for copy in self._ledger.having(call.models, call.hosts):
            pinned = [other for other in copy.host.residents if other.pinned and other is not copy]
            size, beside = copy.claim(max(copy.least, copy.cut(call.window))), [other.bytes() for other in pinned]
            if copy.serves or not pinned or not copy.host.machine.unloads or copy.host.memory.may_fit(size, beside):
                return {}
            found[copy.host.name] = [other.model for other in pinned]
        return found

    def beyond(self, call: Call) -> str:
        """Why a call is refused: a limit that refuses is used up, or none of its models will ever fit into one. Empty: it may wait."""
        copies = self._ledger.having(call.models, call.hosts)
        if (small := too_small(self._ledger, call.limits, copies)) is not None:
            return small[1]
        found = against(self._ledger, [limit for limit in call.limits if limit.refuses], copies)
        return found[1] if found is not None else ""

    def shrunk(self, host: str, now: float) -> None:
        """A host has less memory than was thought. What does not fit there is slow: a call that has no token yet had better go elsewhere."""
        memory = self._ledger.hosts[host].memory
        for copy in self._ledger.hosts[host].copies.values():
            self._ledger.expect(copy)
            for flight in copy.flights.values():
                call = flight.waiting.call
                flight.seconds = max(flight.seconds, copy.seconds(call.prompt_tokens, self._ledger.output(call, copy.model)))
            if copy.flights and memory.slowness(copy.bytes()) >= MUCH_SLOWER:
                self.misplaced += [
                    flight for flight in copy.flights.values() if copy.heard < flight.sent and self._fits_elsewhere(flight, now)
                ]

    def _fits_elsewhere(self, flight: Flight, now: float) -> bool:
        call = flight.waiting.call
        copies = [copy for copy in self._ledger.having(call.models, call.hosts) if copy.host is not flight.copy.host]
        return any(copy.closed_until <= now and copy.host.memory.slowness(copy.bytes(call.window)) < MUCH_SLOWER for copy in copies)

    def moved(self, now: float) -> Iterator[Flight]:
        """Take the misplaced calls from their hosts. No more calls go to those models there for a while."""
        flights, self.misplaced = self.misplaced, []
        for flight in flights:
            if flight.attempt in self._ledger.flights:
                flight.copy.breaker.until = now + REFUSED["memory"]
                yield flight

    def is_loading(self, host: str, model: str) -> bool:
        return self._ledger.hosts[host].copies[model].state is State.LOADING

    def outlive(self, attempt: int, now: float) -> bool:
        """The call that loads a model leaves. Returns whether the load goes on: others wait for the model, or more than half of the load is done."""
        flight = self._ledger.flights.get(attempt)
        if flight is None or not flight.rider or flight.copy.state is not State.LOADING:
            return False
        copy = flight.copy
        copy.outlived = len(copy.flights) > 1 or self._lines.want(copy.model, copy.host.name) or copy.ready - now <= copy.load / 2
        return copy.outlived

    def lost(self, host: str, model: str, now: float) -> None:
        """A load that went on without its call has failed. Calls that were sent after it may still load the model."""
        copy = self._ledger.hosts[host].copies[model]
        copy.outlived = False
        self._plans.left(copy, now)

    def given_up(self, host: str, model: str, now: float) -> None:
        """A load in a task of its own was stopped, because its host was needed for another."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        self._plans.end(there)
        if copy is not None and copy.state is State.LOADING:
            self._ledger.turn(copy, State.ABSENT, now)

    def hinders(self, host: str, now: float) -> bool:
        """Whether nobody waits for the model that a host loads, and somebody for one that it could load."""
        there = self._ledger.hosts[host]
        loading = [copy for copy in there.residents if copy.state is State.LOADING]
        if not loading or any(copy.flights or self._lines.want(copy.model, copy.host.name) for copy in loading):
            return False
        lines = [line for line in self._lines.values() if len(line) and line.allows(host) and not line.kind[4]]
        return any(not there.copies.keys().isdisjoint(line.kind[0]) and not self._sender.servers(line, now) for line in lines)
