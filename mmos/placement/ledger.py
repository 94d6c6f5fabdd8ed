"""Keeps the facts about hosts: which models they have and hold, which calls are on them, how fast they are, and whether they work."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heapreplace

from mmos.placement.facts import Call, Machine, Need, Resident, Send, Settings, Usage
from mmos.placement.health import Breaker
from mmos.placement.lines import Waiting
from mmos.placement.memory import SHARE_OF_FREE, Memory
from mmos.placement.prefixes import Prefixes
from mmos.placement.rates import Lengths, Rate, Sequence

LEAST_LEFT = 0.1
"""The part of a call's expected time that is always left, however long it has taken."""
FORGET_OTHERS = 60.0
"""Seconds after which a wait for other clients' calls counts a third."""
FEW_TOKENS = 8
"""Fewer tokens than that say little about a speed."""
KEPT = 240.0
"""Seconds for which a host keeps an idle model at least, if it needs no room."""
USUAL_PROMPT = 1000.0
HIDDEN_HIT = 0.7
"""A prompt that is read in less than this share of the expected time was in the cache."""
MOSTLY_NEW = 0.25
"""A prompt with a smaller part in the cache shows how fast the host reads."""


class State(Enum):
    """Where a model is."""

    ABSENT = "absent"
    LOADING = "loading"
    RESIDENT = "resident"
    UNLOADING = "unloading"


SESSIONS = 10_000
"""Sessions that are remembered, to see which calls continue one."""


@dataclass(slots=True, eq=False)
class Flight:
    """A call on a host."""

    attempt: int
    waiting: Waiting
    copy: Copy
    send: Send
    sent: float
    seconds: float
    """Its expected time there, without waiting for a slot."""
    rider: bool = False
    """Whether the host loads the model for it."""


@dataclass(slots=True, eq=False)
class Copy:
    """A model that a host has, in memory or not."""

    host: Host
    model: str
    need: Need
    prefixes: Prefixes
    state: State = State.ABSENT
    leaving: bool = False
    """Whether it waits for its last calls, to be unloaded."""
    pinned: bool = False
    ridden: bool = False
    """Whether a call loads it. Then further calls may follow before it is loaded."""
    outlived: bool = False
    """Whether its load goes on although the call that began it has left."""
    window: int = 0
    """The window that it has in memory. 0: unknown."""
    least: int = 0
    """The window that it is loaded with at least."""
    grows: bool = False
    """Whether its calls have growing prompts."""
    longest: int = 0
    """The largest window that the host gave it when a larger one was ordered. 0: any so far."""
    measured: tuple[float, int] = (0.0, 0)
    """Its memory as the host showed it last, and the window that it had then. 0: never shown."""
    flights: dict[int, Flight] = field(default_factory=dict)
    prior: float = 0.0
    """Seconds for a token of the answer, before the host has written any."""
    read: float = 0.0
    """Seconds for a token of the prompt, and of the answer."""
    write: float = 0.0
    load: float = 0.0
    ready: float = 0.0
    """When its load is expected to end."""
    since: float = -math.inf
    """When it was loaded."""
    left: float = -math.inf
    """When it was unloaded."""
    refused: float = -math.inf
    """Until when it cannot be loaded."""
    heard: float = -math.inf
    """When it last showed progress."""
    usual: float = 0.0
    """The usual time of a call here."""

    @property
    def slots(self) -> int:
        return self.host.machine.slots

    @property
    def serves(self) -> bool:
        """Whether it can take calls, now or when its load ends."""
        state = self.state
        return not self.leaving and (state is State.RESIDENT or (state is State.LOADING and self.host.breaker.stuck is None))

    @property
    def closed_until(self) -> float:
        """Until when no call is sent here, because the host or the model failed."""
        return max(self.host.breaker.until, self.refused)

    @property
    def most(self) -> int:
        """The largest window that it can have. 0: unknown."""
        return self.longest or self.need.longest

    def cut(self, window: int) -> int:
        """The window that the host gives it when this one is ordered."""
        return min(window, self.most or window)

    def holds(self, window: int) -> bool:
        """Whether it can serve calls with this window, as it is in memory."""
        return not self.window or self.cut(window) <= self.window

    def bytes(self, window: int = 0) -> float:
        """Its memory: as the host showed it, or as computed for a larger window."""
        (size, at), window = self.measured, max(window, self.window) or self.least
        if not size:
            return self.need.size(window)
        return size + self.need.token * (window - at) if at else size

    def claim(self, window: int) -> float:
        """The size by which it is decided whether it fits beside others. The host leaves the engine's own memory out, but needs it, too."""
        computed = self.need.weights + self.need.token * window
        return max(computed, SHARE_OF_FREE * self.bytes(window))

    def seconds(self, prompt: float, output: float) -> float:
        """The time of a call here."""
        return prompt * self.read + output * self.write

    def free_at(self, now: float, ahead: float = 0.0) -> float:
        """Seconds until a slot is free for one more call, after `ahead` others that have been promised a slot."""
        slots, count = self.slots, len(self.flights)
        start = max(0.0, self.ready - now) if self.state is State.LOADING else 0.0
        if count + ahead < slots:
            return start
        ends: list[float] = []
        for flight in self.flights.values():
            if len(ends) < slots:
                left = max(flight.sent + flight.send.terms.wait + flight.seconds - now, LEAST_LEFT * flight.seconds)
                ends.append(left)
                if len(ends) == slots:
                    heapify(ends)
            else:
                heapreplace(ends, ends[0] + flight.seconds)
        if len(ends) < slots:
            return start + (count + ahead - slots + 1) / slots * self.usual
        return max(start, ends[0]) + ahead / slots * self.usual


@dataclass(eq=False)
class Host:
    """A host and its models."""

    machine: Machine
    memory: Memory
    copies: dict[str, Copy] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    plan: Plan | None = None
    others: float = 0.0
    """Seconds that calls wait here for other clients."""
    others_at: float = 0.0
    heard: float = -math.inf
    newest: str = ""
    """The model whose load was ordered after the host last listed its models."""
    sent: int = 0
    """A mark of its newest call, for policies that take turns."""
    obeys: bool = True
    """Whether it can be told to load and to unload. If not, all its models count as loaded."""

    def __post_init__(self) -> None:
        self.obeys = self.machine.loads

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def in_flight(self) -> int:
        return sum(len(copy.flights) for copy in self.copies.values())

    @property
    def residents(self) -> list[Copy]:
        return [copy for copy in self.copies.values() if copy.state is not State.ABSENT]

    def foreign(self, now: float) -> float:
        return self.others * math.exp((self.others_at - now) / FORGET_OTHERS) if self.others else 0.0

    def takes_calls(self, now: float) -> bool:
        breaker = self.breaker
        return not breaker.is_open(now) and not (breaker.on_trial and self.in_flight)


@dataclass(slots=True)
class Plan:
    """A load that was decided: its victims finish their calls, then leave, then it begins."""

    copy: Copy
    window: int
    victims: tuple[Copy, ...]
    gain: float
    loss: float
    begun: bool = False
    """Whether the load was ordered."""
    ridden: bool = False
    """Whether a call is the load, and not a task that reports its end."""
    ahead: bool = False
    """Whether it is for calls that have not come yet."""


class Ledger:
    """All facts. Every change of what can serve what raises `epoch`."""

    def __init__(self, machines: Iterable[Machine], settings: Settings) -> None:
        self.settings = settings
        self.hosts = {machine.name: Host(machine, Memory(machine)) for machine in sorted(machines, key=lambda machine: machine.name)}
        self.by_model: dict[str, list[Copy]] = {}
        self.flights: dict[int, Flight] = {}
        self.epoch = 0
        self.lengths = Lengths(settings.priors["output"])
        self.reads, self.writes, self.loads = Rate(), Rate(), Rate()
        self.sequence = Sequence()
        self._sessions: dict[str, None] = {}
        self.returning = 0.5
        """The share of calls that continue a session."""

    def having(self, models: Iterable[str], hosts: Collection[str] = ()) -> list[Copy]:
        """The copies of some models, in memory or not. `hosts`: only on these; empty: on any."""
        return [copy for model in models for copy in self.by_model.get(model, ()) if not hosts or copy.host.name in hosts]

    def meet(self, call: Call) -> None:
        """Learn how many calls continue a session."""
        if not call.session:
            return
        known = call.session in self._sessions
        self._sessions.pop(call.session, None)
        self._sessions[call.session] = None
        self.returning += 0.05 * (known - self.returning)
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    def installed(self, host: str, models: Mapping[str, Need]) -> None:
        """Note which models a host has. A model that is gone there is forgotten when its last call has ended."""
        there = self.hosts[host]
        for model, need in models.items():
            copy = there.copies.get(model)
            if copy is None:
                copy = there.copies[model] = Copy(there, model, need, Prefixes(there.machine.slots))
                if not there.obeys:
                    copy.state = State.RESIDENT
                self.by_model.setdefault(model, []).append(copy)
                self.by_model[model].sort(key=lambda copy: copy.host.name)
            if need.weights != copy.need.weights:  # another model under the same name
                copy.measured, copy.longest = (0.0, 0), 0
            copy.need = need
            copy.prior = need.weights / self.settings.priors["bandwidth"] * there.memory.slowness(copy.bytes(copy.window))
            self._price(copy)
            copy.usual = copy.usual or copy.seconds(USUAL_PROMPT, self.lengths.estimate(model, ""))
        for model in there.copies.keys() - models.keys():
            if not there.copies[model].flights:
                gone = there.copies.pop(model)
                self.by_model[model].remove(gone)
        self.epoch += 1

    def resident(self, host: str, models: Iterable[Resident], now: float, asked: float) -> None:
        """Note what a host holds in memory, as it listed it when it was asked."""
        there, listed = self.hosts[host], {resident.model: resident for resident in models}
        held = [copy for copy in there.residents if copy.state is State.RESIDENT and copy.since < asked and there.obeys]
        gone, newest = [copy for copy in held if copy.model not in listed], there.newest
        self._learn_memory(there, listed, [copy for copy in gone if now - max(copy.heard, copy.since) < KEPT])
        for copy in gone:
            self.turn(copy, State.ABSENT, now)
        leaving = there.plan.victims if there.plan is not None else ()
        for model, resident in listed.items():
            known = there.copies.get(model)
            if known in leaving and known.state is State.ABSENT:
                continue  # the host unloads it when the load begins
            if known is not None and known.state is not State.UNLOADING and known.left < asked:
                self._list(known, resident, now, new=newest == model and known.since < asked)

    def _list(self, copy: Copy, resident: Resident, now: float, *, new: bool) -> None:
        """A host lists a model. `new`: for the first time after it was loaded."""
        if 0 < resident.window < copy.window:
            if copy.state is State.LOADING:
                return  # the copy that the load replaces
            if new:
                copy.longest = resident.window  # the host has cut the window that was ordered
        if resident.window and resident.window != copy.window:
            copy.window = resident.window
            self.epoch += 1
        copy.measured = resident.size, copy.window
        self.turn(copy, State.RESIDENT, now)

    def _learn_memory(self, host: Host, listed: Mapping[str, Resident], gone: Collection[Copy]) -> None:
        """A model that left while another was loaded, long before its time, was pushed out."""
        host.memory.seen(listed.values())
        newest = host.copies.get(host.newest)
        if gone and newest is not None:
            beside = [resident.size for name, resident in listed.items() if name != newest.model]
            host.memory.pushed_out(newest.claim(newest.window), [*beside, *(copy.bytes() for copy in gone)])
        if host.newest in listed:
            host.newest = ""

    def turn(self, copy: Copy, state: State, now: float) -> None:
        """A model came into memory or left it."""
        if copy.state is state:
            return
        copy.state = state
        copy.ridden = copy.outlived = False
        if state is State.RESIDENT:
            copy.since = now
        elif state is State.ABSENT:
            copy.left = now
            copy.prefixes.clear()
            copy.leaving = False
            copy.window = 0
        self.epoch += 1

    def take(self, flight: Flight) -> None:
        copy = flight.copy
        copy.flights[flight.attempt] = self.flights[flight.attempt] = flight
        copy.host.sent = flight.attempt

    def release(self, attempt: int, now: float) -> Flight | None:
        """Free the place of an attempt. None: it was given up before."""
        flight = self.flights.pop(attempt, None)
        if flight is not None:
            del flight.copy.flights[attempt]
            flight.copy.prefixes.release(attempt, now)
        return flight

    # ------------------------------------------------------------ what is learned

    def learn(self, flight: Flight, usage: Usage, now: float) -> None:
        """Take the figures of a reply."""
        copy, call = flight.copy, flight.waiting.call
        host, model = copy.host.name, copy.model
        self.lengths.learn(model, call.kind, usage.output_tokens)
        changed = False
        if usage.output_tokens >= FEW_TOKENS:
            changed |= self.writes.learn(host, model, copy.prior, usage.output_seconds / usage.output_tokens)
        saved = flight.send.terms.saved / copy.read if copy.read else 0.0
        fresh = usage.prompt_tokens - (usage.cached_tokens if usage.cached_tokens is not None else saved)
        certain = usage.cached_tokens is not None or saved < MOSTLY_NEW * usage.prompt_tokens
        seconds = usage.prompt_seconds / max(fresh, 1.0)
        # the host had more of it in its cache than is known here
        hidden = seconds < HIDDEN_HIT * copy.read and self.reads.tried(host, model)
        if certain and fresh >= FEW_TOKENS and not hidden:
            changed |= self.reads.learn(host, model, copy.prior / self.settings.priors["reading"], seconds)
        self._learn_others(flight, usage, now)
        copy.usual += 0.2 * (usage.prompt_seconds + usage.output_seconds - copy.usual)
        for other in self._alike(copy) if changed else (copy,):
            self._price(other)

    def learn_load(self, copy: Copy, seconds: float) -> None:
        """Take the time of a load that nothing else delayed."""
        prior = 1.0 + copy.need.weights / self.settings.priors["disk"]
        if self.loads.learn(copy.host.name, copy.model, prior, seconds):
            for other in self._alike(copy):
                self._price(other)
        self._price(copy)

    def _learn_others(self, flight: Flight, usage: Usage, now: float) -> None:
        """Waiting that our own calls do not explain is for the calls of other clients."""
        if usage.total_seconds <= 0:
            return
        waited = usage.total_seconds - usage.load_seconds - usage.prompt_seconds - usage.output_seconds
        host, excess = flight.copy.host, max(0.0, waited - flight.send.terms.wait)
        host.others = host.foreign(now) + 0.3 * (excess - host.foreign(now))
        host.others_at = now

    def _alike(self, copy: Copy) -> Iterable[Copy]:
        return {*copy.host.copies.values(), *self.by_model[copy.model]}

    def _price(self, copy: Copy) -> None:
        host, model = copy.host.name, copy.model
        copy.read = self.reads.estimate(host, model, copy.prior / self.settings.priors["reading"])
        copy.write = self.writes.estimate(host, model, copy.prior)
        copy.load = self.loads.estimate(host, model, 1.0 + copy.need.weights / self.settings.priors["disk"])

    def output(self, call: Call, model: str) -> float:
        """The expected tokens of an answer."""
        return self.lengths.estimate(model, call.kind) if call.output_tokens is None else call.output_tokens
