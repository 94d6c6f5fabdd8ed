"""The engine: it takes facts about calls and hosts, and decides what to send, to recall, to load and to unload."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from mmos.placement.cost import price, terms, work
from mmos.placement.facts import (
    Call,
    Decision,
    Failure,
    Look,
    Machine,
    Need,
    Outlook,
    Recall,
    Resident,
    Send,
    Settings,
    Usage,
)
from mmos.placement.fluid import drained_at
from mmos.placement.ledger import Copy, Flight, Ledger, Plan, State
from mmos.placement.lines import Kind, Line, Shares, Waiting
from mmos.placement.loading import Loader
from mmos.placement.plans import Plans
from mmos.placement.policies import POLICIES, Memo, pick
from mmos.placement.rates import Flow
from mmos.placement.sending import Choice, Sender

TICK = 1.0
"""Seconds after which waiting calls are looked at again, although nothing happened."""
WEIGHED = 1
"""Lines whose loads are weighed in one decision, so that it takes less than a millisecond. The others have their turn after `SOON`."""
SOON = 0.02
CROWDING = 0.2
"""The weight of a new call in a line's mean of what its calls cost other sessions."""
CROWDED = 0.1
"""When so much of each second is lost to sessions that push each other out of the cache, another copy of the model is weighed."""
BUSY_ELSEWHERE = 0.5
"""A load that a reply reports, for a model that was thought to be in memory."""
REFUSED = {"memory": 600.0, "missing": 60.0}
"""Seconds during which a model is not loaded on a host after such a failure."""
NOT_THE_HOST: frozenset[Failure] = frozenset({"missing", "memory"})
SESSIONS = 10_000
"""Sessions and jobs that are remembered."""
NEVER = (-1, 0, float("-inf"))
TIDY_SECONDS = 60.0
QUIET = 0.0003
"""A line with fewer arrivals a second is forgotten when it is empty."""


class Engine:
    """Places calls. Report what happens, then ask `decide`, and do what it says.

    It has no clock: `now` is the same clock everywhere, in seconds. It never waits, and it forgets nothing that it was told of a call until
    that call has finished or was withdrawn.
    """

    def __init__(self, machines: Iterable[Machine], settings: Settings | None = None, policy: str = "completion_time") -> None:
        self._settings = settings or Settings()
        self._ledger = Ledger(machines, self._settings)
        self._policy = POLICIES.get(policy)
        self._memo = Memo()
        self._sender = Sender(self._ledger)
        self._plans = Plans(self._ledger)
        self._lines: dict[Kind, Line] = {}
        self._shares = {urgent: Shares(self._settings.lead) for urgent in (True, False)}
        self._calls: dict[str, Waiting] = {}
        self._sessions: dict[str, float] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._looks: dict[str, None] = {}
        self._number = 0
        self._tidy_at = 0.0
        self._more = False
        """Whether loads of some lines have not been weighed yet."""
        self._looked: dict[Kind, tuple[int, int, float]] = {}

    # ------------------------------------------------------------ facts about hosts

    def installed(self, host: str, models: Mapping[str, Need]) -> None:
        """The models that a host has."""
        self._ledger.installed(host, models)

    def resident(self, host: str, models: Iterable[Resident], now: float, *, asked: float | None = None) -> None:
        """The models that a host holds in memory. `asked`: when it was asked; what changed later is not in its list."""
        self._ledger.resident(host, models, now, now if asked is None else asked)

    def pin(self, host: str, model: str, pinned: bool = True) -> None:
        """Never unload a model on a host for the sake of others."""
        self._ledger.hosts[host].copies[model].pinned = pinned

    def loaded(self, host: str, model: str, seconds: float, now: float) -> None:
        """A load that was ordered has ended."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        self._plans.end(there)
        if copy is not None:
            self._ledger.learn_load(copy, seconds)
            self._ledger.turn(copy, State.RESIDENT, now)
            there.breaker.answered()
            copy.heard = there.heard = now
            self._looks[host] = None

    def load_failed(self, host: str, model: str, failure: Failure, now: float) -> None:
        """A load that was ordered has failed. The host is asked what it holds."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        self._plans.end(there)
        if copy is not None:
            self._ledger.turn(copy, State.ABSENT, now)
            self._fault(copy, failure, now, None)
            self._looks[host] = None

    def unloaded(self, host: str, model: str, now: float, *, done: bool = True) -> None:
        """An unload that was ordered has ended. `done`: the model is gone."""
        there = self._ledger.hosts[host]
        copy = there.copies.get(model)
        if copy is not None and copy.state is State.UNLOADING:
            self._ledger.turn(copy, State.ABSENT if done else State.RESIDENT, now)
        if not done:
            self._plans.end(there)
            self._looks[host] = None

    # ------------------------------------------------------------ facts about calls

    def submit(self, call: Call, now: float) -> None:
        """A call wants a host."""
        self._number += 1
        waiting = Waiting(call, now, 0.0, self._number)
        self._calls[call.id] = waiting
        self._know(call, now)
        self._ledger.sequence.wanted(call.group or call.session, call.models[0])
        line = self._line(call)
        line.flow.count(now)
        line.learn(call, self._ledger.output(call, call.models[0]))
        waiting.tag = self._shares[call.urgent].tag(call.group or call.session, self._work(call))
        line.add(waiting)

    def _know(self, call: Call, now: float) -> None:
        """Learn how many calls continue a session."""
        if not call.session:
            return
        known = self._sessions.pop(call.session, None) is not None
        self._sessions[call.session] = now
        self._ledger.returning += 0.05 * (known - self._ledger.returning)
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    def withdraw(self, call: str, now: float) -> int | None:
        """A call is not wanted any more. Returns its attempt, if it is on a host: cancel that."""
        waiting = self._calls.pop(call, None)
        if waiting is None:
            return None
        if waiting.line is not None:
            waiting.line.remove(waiting)
        flight = self._ledger.release(waiting.attempt, now)
        return flight.attempt if flight else None

    def progress(self, attempt: int, now: float) -> None:
        """A token of an attempt has come. The first one is enough, and then one every few seconds."""
        flight = self._ledger.flights.get(attempt)
        if flight is not None:
            flight.copy.heard = flight.copy.host.heard = now

    def finished(self, attempt: int, usage: Usage, now: float) -> bool:
        """An attempt brought a reply. Returns whether it counts: an attempt that was recalled or withdrawn does not."""
        flight = self._ledger.release(attempt, now)
        if flight is None:
            return False
        copy, call = flight.copy, flight.waiting.call
        self._ledger.learn(flight, usage, now)
        self._memo.finished(copy, now - flight.sent)
        copy.heard = copy.host.heard = now
        self._ledger.sequence.finished(call.group or call.session, copy.model)
        copy.host.breaker.answered()
        if usage.load_seconds > BUSY_ELSEWHERE:
            copy.prefixes.clear()
            self._looks[copy.host.name] = None
        if copy.state is State.ABSENT:
            self._ledger.turn(copy, State.RESIDENT, now)
        del self._calls[call.id]
        return True

    def failed(self, attempt: int, failure: Failure, now: float, pause: float | None = None) -> bool:
        """An attempt failed: the call waits again. `pause`: the seconds that a busy host asks for. Returns whether it counts."""
        flight = self._ledger.release(attempt, now)
        if flight is None:
            return False
        self._fault(flight.copy, failure, now, pause)
        self._again(flight)
        return True

    def _fault(self, copy: Copy, failure: Failure, now: float, pause: float | None) -> None:
        if failure in NOT_THE_HOST:
            copy.refused = now + REFUSED[failure]
            self._ledger.turn(copy, State.ABSENT, now)
        else:
            copy.host.breaker.failed(failure, now, pause)
        self._looks[copy.host.name] = None

    def _again(self, flight: Flight) -> None:
        waiting = flight.waiting
        waiting.attempts += 1
        waiting.avoid = flight.copy.host.name
        self._line(waiting.call).add(waiting)

    def _line(self, call: Call) -> Line:
        kind = (call.models, call.hosts, call.window, call.urgent)
        line = self._lines.get(kind)
        if line is None:
            line = self._lines[kind] = Line(kind, Flow(self._settings.memory_of_demand))
        return line

    def _work(self, call: Call) -> float:
        copies = self._ledger.by_model.get(call.models[0])
        return work(self._ledger, copies[0], call) if copies else 0.0

    # ------------------------------------------------------------ decisions

    def decide(self, now: float) -> list[Decision]:
        """What to do now. The engine counts each decision as done, so it is given only once."""
        made: list[Decision] = [Look(host) for host in self._looks]
        self._looks.clear()
        if now >= self._tidy_at:
            self._tidy(now)
        made += self._recalls(now)
        if self._policy is not None:
            made += self._at_once(now)
            return made
        waiting = [line for line in self._lines.values() if len(line)]
        waiting.sort(key=lambda line: self._sender.turn(line, now))
        made += self._plans.steps(self._lines.values(), now)
        made += self._sends(waiting, now)
        for plan in self._loads(waiting, now):
            self._plans.adopt(plan, now)
        made += self._plans.steps(self._lines.values(), now)
        return made

    def _tidy(self, now: float) -> None:
        """Forget lines that nobody uses any more."""
        self._tidy_at = now + TIDY_SECONDS
        for kind, line in list(self._lines.items()):
            if not len(line) and line.flow.rate(now) < QUIET:
                del self._lines[kind]
                self._looked.pop(kind, None)
                self._sender.forget(line)

    def wake(self, now: float) -> float | None:
        """When to ask `decide` again, even if nothing happens. None: not before something happens."""
        moments = [self._deadlines[0][0]] if self._deadlines else []
        if any(len(line) for line in self._lines.values()):
            moments.append(now + (SOON if self._more else TICK))
            moments += [host.breaker.until for host in self._ledger.hosts.values() if host.breaker.is_open(now)]
        return max(now, min(moments)) if moments else None

    def _recalls(self, now: float) -> Iterator[Decision]:
        """Attempts that show no progress, if another host could do better."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, attempt = heappop(self._deadlines)
            flight = self._ledger.flights.get(attempt)
            if flight is None:
                continue
            due = self._due(flight)
            if due > now or not self._elsewhere(flight, now):
                heappush(self._deadlines, (max(due, now + self._settings.overdue_seconds), attempt))
                continue
            self._ledger.release(attempt, now)
            flight.copy.host.breaker.failed("silent", now)
            self._again(flight)
            yield Recall(attempt, flight.waiting.call, flight.copy.host.name, flight.copy.model)

    def _due(self, flight: Flight) -> float:
        """When a host counts as silent. A model that works on other calls shows progress, too; one that is being loaded, if any model does."""
        copy = flight.copy
        heard = copy.heard if copy.state is State.RESIDENT else copy.host.heard
        expected = flight.seconds + (0.0 if copy.state is State.RESIDENT else copy.load)
        return max(heard, flight.sent) + self._settings.overdue_factor * expected + self._settings.overdue_seconds

    def _elsewhere(self, flight: Flight, now: float) -> bool:
        call = flight.waiting.call
        return any(
            copy.host is not flight.copy.host and not copy.host.breaker.is_open(now) and copy.refused <= now
            for model in call.models
            for copy in self._ledger.by_model.get(model, ())
            if not call.hosts or copy.host.name in call.hosts
        )

    def _sends(self, lines: Sequence[Line], now: float) -> Iterator[Decision]:
        for line in lines:
            for choice in self._sender.choose(line, now):
                yield self._send(choice, now)

    def _send(self, choice: Choice, now: float) -> Send:
        waiting, copy, prices = choice.waiting, choice.copy, choice.price
        call = waiting.call
        if waiting.line is not None:
            waiting.line.displaced += CROWDING * (prices[4] - waiting.line.displaced)
            waiting.line.remove(waiting)
        self._shares[call.urgent].sent(self._work(call), len(self._calls) - len(self._ledger.flights))
        self._number += 1
        send = Send(self._number, call, copy.host.name, copy.model, copy.window, terms(prices))
        seconds = prices[1] + prices[2]
        flight = Flight(send.attempt, waiting, copy, send, now, seconds)
        self._ledger.take(flight)
        waiting.attempt = send.attempt
        copy.prefixes.take(send.attempt, call, self._ledger.output(call, copy.model), now)
        heappush(self._deadlines, (self._due(flight), send.attempt))
        return send

    def _at_once(self, now: float) -> Iterator[Decision]:
        """What a classic policy does: it sends each call at once."""
        assert self._policy is not None
        for line in [line for line in self._lines.values() if len(line)]:
            for waiting in list(line):
                copies = self._fit(line, now)
                if not copies:
                    break
                copy = pick(self._policy, copies, waiting.call, self._memo)
                yield self._send(Choice(waiting, copy, price(self._ledger, copy, waiting, now, 0.0)), now)

    def _fit(self, line: Line, now: float) -> list[Copy]:
        """All copies that may serve a line, in memory or not."""
        models, hosts, _, _ = line.kind
        return [
            copy
            for model in models
            for copy in self._ledger.by_model.get(model, ())
            if (not hosts or copy.host.name in hosts) and copy.refused <= now and copy.host.takes_calls(now)
        ]

    # ------------------------------------------------------------ loads

    def _loads(self, lines: Sequence[Line], now: float) -> Iterator[Plan]:
        crowded = [line for line in self._lines.values() if not len(line) and line.displaced * line.flow.rate(now) > CROWDED]
        due = [line for line in (*lines, *crowded) if (len(line) or line in crowded) and self._is_due(line, now)]
        due.sort(key=lambda line: self._looked.get(line.kind, NEVER)[2])
        loader: Loader | None = None
        for line in due[:WEIGHED]:
            self._looked[line.kind] = self._ledger.epoch, len(line), now
            loader = loader or self._loader(now)
            plan = loader.best(line)
            if plan is not None:
                yield plan
                loader = None
        self._more = len(due) > WEIGHED

    def _loader(self, now: float) -> Loader:
        return Loader(self._ledger, self._lines.values(), self._sender.servers, now)

    def _is_due(self, line: Line, now: float) -> bool:
        """Whether something changed for a line since its loads were weighed."""
        known = self._looked.get(line.kind)
        return known is None or known[:2] != (self._ledger.epoch, len(line)) or now - known[2] >= TICK / 2

    # ------------------------------------------------------------ explanations

    def outlook(self, call: str, now: float) -> Outlook | None:
        """What a waiting call can expect. None: it does not wait."""
        waiting = self._calls.get(call)
        if waiting is None or waiting.line is None:
            return None
        position = waiting.line.position(waiting)
        pool = self._loader(now).pool(waiting.line)
        seconds = drained_at(position, pool.taps.values())
        return Outlook(position + 1, seconds if math.isfinite(seconds) else None)

    @property
    def places_taken(self) -> int:
        """Calls that are on hosts."""
        return len(self._ledger.flights)
