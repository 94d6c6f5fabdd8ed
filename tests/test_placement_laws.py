"""What always holds for the placement engine, whatever happens: no place leaks, no call is lost or given twice, and nobody waits for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Decision, Failure, Load, Look, Machine, Need, Recall, Resident, Send, Settings, Unload, Usage

GIB = 1 << 30
MODELS = {"small": Need(3 * GIB), "large": Need(14 * GIB), "huge": Need(19 * GIB)}
HOSTS = ("a", "b", "c")
FAILURES: tuple[Failure, ...] = ("gone", "silent", "error", "busy", "missing", "memory")
POLICIES = ("completion_time", "least_busy", "round_robin", "sticky", "fastest", "resource", "warm_first")
USAGE = Usage(1000, 1.0, 100, 4.0, 0.0, 5.0)
CALM = 3000.0
"""Seconds after which a fleet without faults has answered the calls of these tests."""


@dataclass
class Fleet:
    """A fleet that does what the engine decides, and checks each decision."""

    engine: Engine
    chance: random.Random
    now: float = 0.0
    flights: dict[int, Send] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    answered: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    loads: list[Load] = field(default_factory=list)
    unloads: list[Unload] = field(default_factory=list)
    memory: dict[str, set[str]] = field(default_factory=lambda: {host: set() for host in HOSTS})
    number: int = 0

    @classmethod
    def of(cls, seed: int, *, policy: str = "completion_time", memory: float | None = 24 * GIB, slots: int = 2) -> Fleet:
        engine = Engine([Machine(host, slots, memory) for host in HOSTS], policy=policy)
        for host in HOSTS:
            engine.installed(host, MODELS)
        return cls(engine, random.Random(seed))

    def submit(self) -> None:
        self.number += 1
        models = tuple(self.chance.sample(sorted(MODELS), self.chance.choice((1, 1, 2))))
        hosts = tuple(sorted(self.chance.sample(HOSTS, 2))) if self.chance.random() < 0.2 else ()
        session = self.chance.choice(("", "s1", "s2", "s3"))
        call = Call(f"c{self.number}", models, 1000, hosts=hosts, session=session, urgent=self.chance.random() < 0.7)
        self.waiting.add(call.id)
        self.engine.submit(call, self.now)

    def decide(self) -> list[Decision]:
        made = self.engine.decide(self.now)
        for decision in made:
            match decision:
                case Send():
                    assert decision.call.id in self.waiting, "a call is given only while it waits"
                    assert all(unload.model != decision.model or unload.host != decision.host for unload in self.unloads)
                    self.waiting.remove(decision.call.id)
                    self.flights[decision.attempt] = decision
                case Recall():
                    del self.flights[decision.attempt]
                    self.waiting.add(decision.call.id)
                case Load():
                    assert all(load.host != decision.host for load in self.loads), "one load at a time on a host"
                    assert all(unload.host != decision.host for unload in self.unloads), "a load begins when its victims are gone"
                    self.loads.append(decision)
                case Unload():
                    busy = [send for send in self.flights.values() if (send.host, send.model) == (decision.host, decision.model)]
                    assert not busy, "a model is unloaded when its last call has ended"
                    self.unloads.append(decision)
                case Look():
                    self.look(decision.host)
        assert self.engine.places_taken == len(self.flights)
        return made

    def look(self, host: str) -> None:
        residents = [Resident(model, MODELS[model].weights) for model in sorted(self.memory[host])]
        self.engine.resident(host, residents, self.now)

    def happen(self, *, faults: bool) -> None:
        """Something happens."""
        self.now += self.chance.expovariate(1.0)
        chance = self.chance.random()
        if self.loads and chance < 0.3:
            self._end_load(faults)
        elif self.unloads and chance < 0.6:
            unload = self.unloads.pop()
            self.memory[unload.host].discard(unload.model)
            self.engine.upkeep.unloaded(unload.host, unload.model, self.now)
        elif self.flights:
            self._end_flight(faults)

    def _end_load(self, faults: bool) -> None:
        load = self.loads.pop(self.chance.randrange(len(self.loads)))
        if faults and self.chance.random() < 0.2:
            self.engine.upkeep.load_failed(load.host, load.model, self.chance.choice(FAILURES), self.now)
        else:
            self.memory[load.host].add(load.model)
            self.engine.upkeep.loaded(load.host, load.model, 5.0, self.now)

    def _end_flight(self, faults: bool) -> None:
        attempt = self.chance.choice(sorted(self.flights))
        send = self.flights.pop(attempt)
        chance = self.chance.random()
        if faults and chance < 0.3:
            self.waiting.add(send.call.id)
            assert self.engine.failed(attempt, self.chance.choice(FAILURES), self.now)
            assert not self.engine.failed(attempt, "error", self.now), "a failure counts once"
        elif faults and chance < 0.45:
            self.withdrawn.add(send.call.id)
            assert self.engine.withdraw(send.call.id, self.now) == attempt
            assert not self.engine.finished(attempt, USAGE, self.now), "a late answer of a cancelled call does not count"
        else:
            self.memory[send.host].add(send.model)
            self.answered.append(send.call.id)
            assert self.engine.finished(attempt, USAGE, self.now)
            assert not self.engine.finished(attempt, USAGE, self.now), "an answer counts once"

    def calm_down(self) -> None:
        """Nothing fails any more, and everything ends."""
        until = self.now + CALM
        while (self.waiting or self.flights) and self.now < until:
            self.decide()
            self.happen(faults=False)
            if not (self.flights or self.loads or self.unloads):
                self.now = max(self.now, self.engine.wake(self.now) or self.now)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    policy=st.sampled_from(POLICIES),
    memory=st.sampled_from((None, 24 * GIB, 40 * GIB)),
    slots=st.integers(1, 4),
)
@example(seed=22382, policy="completion_time", memory=24 * GIB, slots=3)
def test_every_call_is_answered_once_and_all_places_are_free(seed: int, policy: str, memory: float | None, slots: int) -> None:
    fleet = Fleet.of(seed, policy=policy, memory=memory, slots=slots)
    for _ in range(120):
        if fleet.chance.random() < 0.5:
            fleet.submit()
        fleet.decide()
        fleet.happen(faults=True)
        if fleet.waiting and fleet.chance.random() < 0.05:
            call = fleet.chance.choice(sorted(fleet.waiting))
            fleet.waiting.remove(call)
            fleet.withdrawn.add(call)
            assert fleet.engine.withdraw(call, fleet.now) is None
    fleet.calm_down()
    assert not fleet.waiting
    assert not fleet.flights
    assert fleet.engine.places_taken == 0
    assert sorted(fleet.answered) == sorted({f"c{number + 1}" for number in range(fleet.number)} - fleet.withdrawn)


def history(order: tuple[str, ...], seed: int) -> Iterator[Decision]:
    """What the engine decides, for a fleet whose hosts are listed in this order."""
    engine = Engine([Machine(host, 1, 24 * GIB) for host in order])
    for host in order:
        engine.installed(host, dict(sorted(MODELS.items(), reverse=order[0] == "b")))
    chance, now = random.Random(seed), 0.0
    flights: list[int] = []
    for number in range(60):
        now += chance.expovariate(0.5)
        if number < 40:
            engine.submit(Call(str(number), (chance.choice(sorted(MODELS)),), 500, session=f"s{number % 5}"), now)
        for decision in engine.decide(now):
            yield decision
            if isinstance(decision, Load):
                engine.upkeep.loaded(decision.host, decision.model, 4.0, now)
            elif isinstance(decision, Unload):
                engine.upkeep.unloaded(decision.host, decision.model, now)
            elif isinstance(decision, Send):
                flights.append(decision.attempt)
        if flights:
            engine.finished(flights.pop(0), USAGE, now)


@settings(max_examples=20, deadline=None)
@given(st.permutations(HOSTS), st.integers(0, 1000))
def test_the_order_in_which_hosts_are_listed_does_not_matter(order: list[str], seed: int) -> None:
    assert list(history(tuple(order), seed)) == list(history(HOSTS, seed))


def test_nobody_starves_beside_a_stream_of_other_calls() -> None:
    """One host, a model with more calls than it can answer, and one call for another model."""
    engine = Engine([Machine("a", 1, 24 * GIB)])
    engine.installed("a", {"large": MODELS["large"], "huge": MODELS["huge"]})
    sent: float | None = None
    ends: dict[int, float] = {}
    for step in range(2000):
        now = step * 0.5
        if now == 400.0:
            engine.submit(Call("rare", ("huge",), 500), now)
        if step % 6 == 0:
            engine.submit(Call(f"often{step}", ("large",), 500, session=f"s{step % 7}"), now)
        for attempt in [attempt for attempt, end in ends.items() if end <= now]:
            del ends[attempt]
            engine.finished(attempt, USAGE, now)
        for decision in engine.decide(now):
            if isinstance(decision, Load):
                engine.upkeep.loaded(decision.host, decision.model, 5.0, now)
            elif isinstance(decision, Unload):
                engine.upkeep.unloaded(decision.host, decision.model, now)
            elif isinstance(decision, Send):
                ends[decision.attempt] = now + 4.0
                if decision.call.id == "rare":
                    sent = now
    assert sent is not None
    assert 400 < sent < 520


def test_nobody_starves_behind_short_calls() -> None:
    """A long call, and more short ones than the host can answer, each of its own session: the long one has its turn."""
    engine = Engine([Machine("a", 1, 24 * GIB)])
    engine.installed("a", {"small": MODELS["small"]})
    engine.resident("a", [Resident("small", 3 * GIB)], 0.0)
    flights: list[int] = []
    for number in range(5 + round(Settings().bypass) + 5):
        now = float(number)
        if number == 5:
            engine.submit(Call("long", ("small",), 6_000, output_tokens=500), now)
        for short in range(2):
            engine.submit(Call(f"short{number}.{short}", ("small",), 100, output_tokens=20), now)
        if flights:
            engine.finished(flights.pop(0), Usage(100, 0.1, 20, 0.9, 0.0, 1.0), now)
        made = [decision for decision in engine.decide(now) if isinstance(decision, Send)]
        flights += [decision.attempt for decision in made]
        if "long" in [decision.call.id for decision in made]:
            assert number > 10, "short calls go first for a while"
            return
    raise AssertionError("the long call was never sent")
