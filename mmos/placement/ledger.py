"""Keeps the facts about hosts: which models they have and hold, which calls are on them, how fast they are, and whether they work."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mmos.placement.copies import Copy, Flight, Host, State
from mmos.placement.facts import Call, Machine, Need, Settings, Usage
from mmos.placement.memory import Memory
from mmos.placement.prefixes import Beginnings, Prefixes
from mmos.placement.rates import Lengths, Rate, Sequence

FEW_TOKENS = 8
"""Fewer tokens than that say little about a speed."""
USUAL_PROMPT = 1000.0
HIDDEN_HIT = 0.7
"""A prompt that is read in less than this share of the expected time was in the cache."""
SESSIONS = 10_000
"""Sessions that are remembered, to see which calls continue one."""
MOSTLY_NEW = 0.25
"""A prompt with a smaller part in the cache shows how fast the host reads."""


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
        self.beginnings = Beginnings()

    def having(self, models: Iterable[str], hosts: Collection[str] = ()) -> list[Copy]:
        """The copies of some models, in memory or not. `hosts`: only on these; empty: on any."""
        return [copy for model in models for copy in self.by_model.get(model, ()) if not hosts or copy.host.name in hosts]

    def installed(self, host: str, models: Mapping[str, Need]) -> None:
        """Note which models a host has. A model that is gone there is forgotten when its last call has ended."""
        there = self.hosts[host]
        for model, need in models.items():
            copy = there.copies.get(model)
            if copy is None:
                prefixes = Prefixes(there.machine.slots, self.beginnings)
                copy = there.copies[model] = Copy(there, model, need, prefixes, pinned=model in there.machine.pinned)
                if not there.obeys:
                    copy.state = State.RESIDENT
                self.by_model.setdefault(model, []).append(copy)
                self.by_model[model].sort(key=lambda copy: copy.host.name)
            if need.weights != copy.need.weights:  # another model under the same name
                copy.measured, copy.longest = (0.0, 0), 0
            copy.need = need
            self.expect(copy)
            copy.usual = copy.usual or copy.seconds(USUAL_PROMPT, self.lengths.estimate(model, ""))
        for model in there.copies.keys() - models.keys():
            if not there.copies[model].flights:
                gone = there.copies.pop(model)
                self.by_model[model].remove(gone)
        self.epoch += 1

    def turn(self, copy: Copy, state: State, now: float) -> None:
        """A model came into memory or left it."""
        if copy.state is state:
            return
        copy.state = state
        copy.ridden = copy.returning = copy.outlived = False
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
        tokens = call.prompt_tokens or usage.prompt_tokens  # as callers estimate, so that the errors of estimates do not matter
        known = usage.cached_tokens is not None and usage.prompt_tokens > 0
        fresh = tokens - (tokens * (usage.cached_tokens or 0.0) / usage.prompt_tokens if known else saved)
        certain = known or saved < MOSTLY_NEW * tokens
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
        if not (excess or host.others):
            return
        host.others = host.foreign(now) + 0.3 * (excess - host.foreign(now))
        host.others_at = now

    def _alike(self, copy: Copy) -> Iterable[Copy]:
        return {*copy.host.copies.values(), *self.by_model[copy.model]}

    def expect(self, copy: Copy) -> None:
        """How fast a copy is, by its size and the host's memory."""
        copy.prior = copy.need.weights / self.settings.priors["bandwidth"] * copy.host.memory.slowness(copy.bytes(copy.window))
        self._price(copy)

    def _price(self, copy: Copy) -> None:
        host, model = copy.host.name, copy.model
        copy.read = self.reads.estimate(host, model, copy.prior / self.settings.priors["reading"])
        copy.write = self.writes.estimate(host, model, copy.prior)
        copy.load = self.loads.estimate(host, model, 1.0 + copy.need.weights / self.settings.priors["disk"])

    def output(self, call: Call, model: str) -> float:
        """The expected tokens of an answer."""
        return self.lengths.estimate(model, call.kind) if call.output_tokens is None else call.output_tokens
