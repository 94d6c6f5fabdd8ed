"""The engine: it takes facts about calls and hosts, and decides what to send, to recall, to load and to unload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mmos.placement.copies import Copy, Flight, Plan, State
from mmos.placement.cost import Price, price, price_at_once, terms, work
from mmos.placement.estimates import Estimates
from mmos.placement.explaining import Explainer, others
from mmos.placement.facts import (
    Alternative,
    Call,
    Decision,
    Failure,
    Load,
    Look,
    Machine,
    Need,
    Recall,
    Resident,
    Send,
    Settings,
    Usage,
    talk,
)
from mmos.placement.habits import Habits
from mmos.placement.keeping import Keeping
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Kind, Line, Lines, Shares, Waiting
from mmos.placement.listing import listed
from mmos.placement.loading import Loader, Prices
from mmos.placement.overdue import Overdue
from mmos.placement.plans import Plans
from mmos.placement.policies import POLICIES, Memo
from mmos.placement.profiles import Profiles
from mmos.placement.sending import Choice, Sender
from mmos.placement.stuck import StuckHosts
from mmos.placement.upkeep import Upkeep
from mmos.placement.warming import Warming
from mmos.placement.ways import Way, only_way

TICK = 1.0
"""Seconds after which waiting calls are looked at again, although nothing happened."""
SOON = 0.02
"""Seconds after which the loads of the next line are weighed."""
CROWDING = 0.2
"""The weight of a new call in a line's mean of what its calls cost other sessions."""
CROWDED = 0.1
"""When so much of each second is lost to sessions that push each other out of the cache, another copy of the model is weighed."""
BUSY_ELSEWHERE = 0.5
"""A load that a reply reports, for a model that was thought to be in memory."""
NEVER = (-1, 0, float("-inf"))
BACKLOG = 64
"""After so many express calls their figures are taken in at the latest. Many at once cost a third of one after the other."""
SAMPLED = 4
"""One of so many of them is learned from."""
TIDY_SECONDS = 60.0


class Engine:
    """Places calls. Report what happens, then ask `decide`, and do what it says.

    It has no clock: `now` is the same clock everywhere, in seconds. It never waits, and it forgets nothing that it was told of a call until
    that call has finished or was withdrawn.
    """

    def __init__(self, machines: Iterable[Machine], settings: Settings | None = None, policy: str = "completion_time") -> None:
        self._settings = settings or Settings()
        self._ledger = Ledger(machines, self._settings)
        self.profiles = Profiles(self._ledger)
        self._estimates = Estimates(self._ledger)
        self._policy = POLICIES.get(policy)
        self._memo = Memo()
        self._sender, self._prices = Sender(self._ledger), Prices()
        self._plans = Plans(self._ledger)
        self._looks: dict[str, None] = {}
        self._overdue = Overdue(self._ledger, self._looks, queues=policy in POLICIES)
        self._lines = Lines(self._settings.memory_of_demand)
        self.stuck = StuckHosts(self._ledger, self._plans, self._lines, self._looks)
        self.upkeep = Upkeep(self._ledger, self._plans, self._sender, self._lines, self._looks)
        self.warming = Warming(self._ledger, self._plans, self._lines)
        self.habits = Habits(self._ledger.sequence)
        self.keeping = Keeping(self._ledger, self.warming, self.habits)
        self._shares = {urgent: Shares(self._settings.lead) for urgent in (True, False)}
        self._calls: dict[str, Waiting] = {}
        self.explainer = Explainer(self._ledger, self._lines, self._calls, self._loader)
        self._number = 0
        self._tidy_at = 0.0
        self._more = False
        """Whether loads of some lines have not been weighed yet."""
        self._looked: dict[Kind, tuple[int, int, float]] = {}
        self._backlog: list[tuple[Flight, Usage, float]] = []

    @property
    def estimates(self) -> Estimates:
        self._catch_up()
        return self._estimates

    # ------------------------------------------------------------ facts about hosts

    def installed(self, host: str, models: Mapping[str, Need]) -> None:
        """The models that a host has."""
        self._ledger.installed(host, models)

    def resident(self, host: str, models: Iterable[Resident], now: float, *, asked: float | None = None) -> None:
        """The models that a host holds in memory. `asked`: when it was asked; what changed later is not in its list."""
        here, memory = list(models), self._ledger.hosts[host].memory
        before = memory.capacity
        for copy in listed(self._ledger, host, here, now, now if asked is None else asked):
            self._plans.expect(copy)
        self.stuck.listed(host, [resident.model for resident in here], now if asked is None else asked, now)
        if memory.capacity < before:
            self.upkeep.shrunk(host, now)

    # ------------------------------------------------------------ facts about calls

    def submit(self, call: Call, now: float) -> None:
        """A call wants a host. A call that waits again after a failure may bring other hosts and keeps its turn."""
        if call.session and not call.blocks:
            call = call._replace(blocks=talk(call.session, call.prompt_tokens))
        known = self._calls.get(call.id)
        if known is not None:
            if known.line is not None:
                known.line.remove(known)
            known.call = call
            self._lines.of(call).add(known)
            return
        self._catch_up()
        waiting = self._enter(call, now)
        self._meet(call, now)
        waiting.tag = self._shares[call.urgent].tag(call.group or call.session, self._work(call))
        self._lines.of(call).add(waiting)

    def _enter(self, call: Call, now: float) -> Waiting:
        self._number += 1
        self._ledger.sequence.wanted(call.group or call.session, call.models[0])
        waiting = self._calls[call.id] = Waiting(call, now, 0.0, self._number)
        return waiting

    def _meet(self, call: Call, now: float) -> None:
        """Take a new call into what is known of the demand."""
        self._ledger.beginnings.meet(call)
        line = self._lines.of(call)
        line.flow.count(now)
        line.learn(call, self._ledger.output(call, call.models[0]))

    def _catch_up(self) -> None:
        """Take in what the last express calls show. Of many that came one after the other some are enough."""
        backlog, self._backlog = self._backlog, []
        for number, (flight, usage, now) in enumerate(backlog, 1 - len(backlog)):
            if number % SAMPLED:  # the newest has number 0
                self._lines.of(flight.waiting.call).flow.count(flight.sent)
            else:
                self._meet(flight.waiting.call, flight.sent)
                self._ledger.learn(flight, usage, now)

    def way(self, call: Call) -> Way | None:
        """The way of all calls like this one. None: there are several, or the model is not in memory."""
        return only_way(self._ledger, call) if self._policy is None else None

    def is_clear(self, way: Way, now: float) -> bool:
        """Whether a call can go this way at once, before no other."""
        return way.is_open(self._ledger, now) and self.is_quiet

    def express(self, call: Call, way: Way, now: float) -> Send:
        """Send a new call a way that is clear. It takes no turn from others, and no other host could do better."""
        waiting = self._enter(call, now)
        send = self._fly(waiting, way.copy, price_at_once(self._ledger, way.copy, call, now), (), now)
        self._ledger.flights[send.attempt].express = True
        return send

    def withdraw(self, call: str, now: float) -> int | None:
        """A call is not wanted any more. Returns its attempt, if it is on a host: cancel that."""
        waiting = self._calls.pop(call, None)
        if waiting is None:
            return None
        if waiting.line is not None:
            waiting.line.remove(waiting)
        flight = self._release(waiting.attempt, now)
        return flight.attempt if flight else None

    def board(self, load: Load, now: float) -> Send | None:
        """Let the first call that waits for an ordered load be the load. None: no call waits for it, so it needs a task of its own."""
        copy = self._ledger.hosts[load.host].copies[load.model]
        waiting = (line for line in self._lines.values() if len(line) and load.model in line.kind[0])
        lines = [line for line in waiting if line.allows(load.host) and copy.holds(line.kind[2]) and self._sender.may_use(line, copy)]
        if not lines:
            return None
        line = min(lines, key=lambda line: (not line.kind[3], line.first.place))
        self._plans.ride(copy)
        send = self._send(Choice(line.first, copy, price(self._ledger, copy, line.first, now, 0.0)), now)
        self._ledger.flights[send.attempt].rider = True
        return send

    def _release(self, attempt: int, now: float) -> Flight | None:
        flight = self._ledger.release(attempt, now)
        if flight is not None:
            self._plans.left(flight.copy, now)
        return flight

    def progress(self, attempt: int, now: float) -> bool:
        """A token of an attempt has come. The first one is enough, and then one every few seconds. Returns whether it shows that a load has ended."""
        flight = self._ledger.flights.get(attempt)
        if flight is None:
            return False
        flight.copy.heard = flight.copy.host.heard = now
        self._overdue.begun(attempt)
        if arrived := self._plans.arrived(flight.copy, now):
            self._looks[flight.copy.host.name] = None
        return arrived

    def finished(self, attempt: int, usage: Usage, now: float) -> bool:
        """An attempt brought a reply. Returns whether it counts: an attempt that was recalled or withdrawn does not."""
        flight = self._ledger.release(attempt, now)
        if flight is None:
            return False
        copy, call = flight.copy, flight.waiting.call
        self._plans.arrived(copy, now)
        if flight.express:
            self._backlog.append((flight, usage, now))
            if len(self._backlog) >= BACKLOG:
                self._catch_up()
        else:
            self._ledger.learn(flight, usage, now)
        if self._policy is not None:
            self._memo.finished(copy, now - flight.sent)
        copy.heard = copy.host.heard = now
        self._ledger.sequence.finished(call.group or call.session, copy.model)
        copy.host.breaker.answered()
        copy.breaker.answered()
        if usage.load_seconds > BUSY_ELSEWHERE:
            self._loaded_for(flight, usage.load_seconds)
        if copy.state is State.ABSENT:
            self._ledger.turn(copy, State.RESIDENT, now)
        del self._calls[call.id]
        return True

    def _loaded_for(self, flight: Flight, seconds: float) -> None:
        """A reply reports a load. One that was not foreseen has cleared the cache."""
        if flight.rider:
            self._ledger.learn_load(flight.copy, seconds)
        elif flight.sent >= flight.copy.since:
            flight.copy.prefixes.clear()
        self._looks[flight.copy.host.name] = None

    def failed(self, attempt: int, failure: Failure | None, now: float, pause: float | None = None) -> bool:
        """An attempt failed: the call waits again. `failure`: what that says of the host. `pause`: what a busy host asks for. Returns whether it counts."""
        flight = self._release(attempt, now)
        if flight is None:
            return False
        if failure is not None:
            self.upkeep.fault(flight.copy, failure, now, pause)
        if flight.express:
            self._meet(flight.waiting.call, flight.sent)
        self._again(flight)
        return True

    def _again(self, flight: Flight) -> None:
        waiting = flight.waiting
        waiting.attempts += 1
        waiting.avoid = flight.copy.host.name
        self._lines.of(waiting.call).add(waiting)

    def _work(self, call: Call) -> float:
        copies = self._ledger.by_model.get(call.models[0])
        return work(self._ledger, copies[0], call) if copies else 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to decide before something happens: no call waits, no load is planned, no host must be looked at."""
        if len(self._calls) != len(self._ledger.flights):
            return False
        return not (self._looks or self._plans.open or self.upkeep.misplaced or self.warming.is_open)

    # ------------------------------------------------------------ decisions

    def decide(self, now: float) -> list[Decision]:
        """What to do now. The engine counts each decision as done, so it is given only once."""
        self._catch_up()
        made: list[Decision] = [*self._recalls(now)]
        if self._plans.begun or self.stuck.hosts:
            made += self._rescues(now)
        made += [Look(host) for host in self._looks]
        self._looks.clear()
        if now >= self._tidy_at:
            self._tidy(now)
        if self._policy is not None:
            for line in [line for line in self._lines.values() if len(line)]:
                made += (self._send(choice, now) for choice in self._sender.at_once(self._policy, line, self._memo, now))
            return made
        waiting = [line for line in self._lines.values() if len(line)]
        if len(waiting) == 1 and not self._plans.open and (choice := self._sender.only(waiting[0], now)):
            made.append(self._send(choice, now))
            return made
        waiting.sort(key=lambda line: self._sender.turn(line, now))
        made += self._plans.steps(self._lines.values(), now)
        held: list[Line] = []
        made += self._sends(waiting, now, held)
        if (plan := self._load(held or waiting, now)) is not None:
            self._plans.adopt(plan, now)
        elif held:
            made += self._sends(held, now, [])
        if self.warming.is_due(now):
            self.warming.adopt(self._loader(now), now)
        made += self._plans.steps(self._lines.values(), now)
        return made

    def _tidy(self, now: float) -> None:
        self._tidy_at = now + TIDY_SECONDS
        for line in self._lines.forget(now):
            self._looked.pop(line.kind, None)
            self._sender.forget(line)

    def wake(self, now: float) -> float | None:
        """When to ask `decide` again, even if nothing happens. None: not before something happens."""
        moments = [*self._overdue.next, *self.warming.next]
        if self._plans.begun or self.stuck.hosts:
            moments += self.stuck.moments(now)
        if any(len(line) for line in self._lines.values()):
            moments.append(now + (SOON if self._more else TICK))
            moments += [host.breaker.until for host in self._ledger.hosts.values() if host.breaker.is_open(now)]
        return max(now, min(moments)) if moments else None

    def _recalls(self, now: float) -> Iterator[Decision]:
        """Attempts that show no progress, or are where their model does not fit, if another host could do better."""
        for flight, silent in self._overdue.found(now):
            if silent:  # if not, it answers others
                flight.copy.host.breaker.failed("silent", now)
            yield self._recall(flight, now)
        if self._policy is None and self.upkeep.misplaced:
            for flight in self.upkeep.moved(now):
                yield self._recall(flight, now)

    def _rescues(self, now: float) -> Iterator[Decision]:
        """What is due for loads that do not end."""
        self.stuck.watch(now)
        for flight in self.stuck.recalls(now):
            yield self._recall(flight, now)
        yield from self.stuck.rescues(now)

    def _recall(self, flight: Flight, now: float) -> Recall:
        self._release(flight.attempt, now)
        self._again(flight)
        return Recall(flight.attempt, flight.waiting.call, flight.copy.host.name, flight.copy.model)

    def _sends(self, lines: Sequence[Line], now: float, held: list[Line]) -> Iterator[Decision]:
        """Calls for hosts with room. `held` gets the lines whose calls may end sooner after a load, which has to be weighed first."""
        for line in lines:
            for choice in self._sender.choose(line, now):
                if self._is_due(line, now) and self._sender.hopes(choice, now):
                    held.append(line)
                    break
                yield self._send(choice, now)

    def _send(self, choice: Choice, now: float) -> Send:
        waiting, copy, prices = choice.waiting, choice.copy, choice.price
        call = waiting.call
        if waiting.line is not None:
            waiting.line.displaced += CROWDING * (prices[4] - waiting.line.displaced)
            waiting.line.remove(waiting)
        self._shares[call.urgent].sent(self._work(call), len(self._calls) - len(self._ledger.flights))
        send = self._fly(waiting, copy, prices, others(self._ledger, choice, now), now)
        self._overdue.watch(self._ledger.flights[send.attempt])
        return send

    def _fly(self, waiting: Waiting, copy: Copy, prices: Price, elsewhere: tuple[Alternative, ...], now: float) -> Send:
        """Put a call on a host."""
        self._number = waiting.attempt = attempt = self._number + 1
        call = waiting.call
        send = Send(attempt, call, copy.host.name, copy.model, copy.window, terms(prices), elsewhere)
        self._ledger.take(Flight(attempt, waiting, copy, send, now, prices[1] + prices[2]))
        copy.prefixes.take(attempt, call, self._ledger.output(call, copy.model), now)
        return send

    # ------------------------------------------------------------ loads

    def _load(self, lines: Sequence[Line], now: float) -> Plan | None:
        """Weigh the loads of one line, so that a decision takes less than a millisecond. The others have their turn after `SOON`."""
        crowded = [line for line in self._lines.values() if not len(line) and line.displaced * line.flow.rate(now) > CROWDED]
        due = [line for line in (*(line for line in lines if len(line)), *crowded) if self._is_due(line, now)]
        self._more = len(due) > 1
        line = min(due, key=lambda line: self._looked.get(line.kind, NEVER)[2], default=None)
        if line is None:
            return None
        self._looked[line.kind] = self._ledger.epoch, len(line), now
        return self._loader(now).best(line)

    def _loader(self, now: float) -> Loader:
        return Loader(self._ledger, self._lines.values(), self._sender.servers, now, self._prices)

    def _is_due(self, line: Line, now: float) -> bool:
        """Whether something changed for a line since its loads were weighed."""
        known = self._looked.get(line.kind)
        return known is None or bool(line.kind[4]) or known[:2] != (self._ledger.epoch, len(line)) or now - known[2] >= TICK / 2

    @property
    def places_taken(self) -> int:
        """Calls that are on hosts."""
        return len(self._ledger.flights)
