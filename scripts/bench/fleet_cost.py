"""Measures what decisions of the placement engine cost: one call on one quiet host, and crowds on sixteen hosts."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Decision, Load, Machine, Need, Send, Unload, Usage
from mmos.rehearsal.memory import GIB

STEPS = 400
QUIET_CALLS = 2000
CROWDS = (64, 1_000, 10_000)
USAGE = Usage(1000, 1.0, 200, 5.0, 0.0, 6.0)


@dataclass(frozen=True)
class Cost:
    """The time of decisions. The medians leave out what else the machine did."""

    quiet_us: float
    """Microseconds of a whole call on one quiet host: submit, decide, finish."""
    crowd_ms: float
    """Milliseconds of a decision over 16 hosts and 64 waiting calls."""
    growth: tuple[tuple[int, float], ...]
    """The same for longer queues."""

    def lines(self) -> Iterator[str]:
        yield f"\none call on one quiet host: {self.quiet_us:.0f} µs"
        for waiting, milliseconds in self.growth:
            yield f"a decision over 16 hosts and {waiting} waiting calls: {milliseconds:.2f} ms"


def costs() -> Cost:
    growth = tuple((waiting, _crowd(waiting)) for waiting in CROWDS)
    return Cost(_quiet(), growth[0][1], growth)


def _engine(hosts: int, models: int) -> Engine:
    chance = random.Random(1)
    engine = Engine([Machine(f"host{number:02d}", 1, 24 * GIB) for number in range(hosts)])
    installed = {f"model{number}": Need(chance.choice((5e9, 9e9, 19e9))) for number in range(models)}
    for number in range(hosts):
        engine.installed(f"host{number:02d}", installed)
    return engine


def _quiet() -> float:
    engine, now = _engine(1, 1), 0.0
    times = []
    for number in range(QUIET_CALLS):
        now += 10.0
        begun = time.process_time()
        engine.submit(Call(str(number), ("model0",), 1000.0, session="talk"), now)
        made = engine.decide(now)
        if not any(isinstance(decision, Send) for decision in made):
            _obey(engine, made, now)
            made = engine.decide(now)
        for decision in made:
            if isinstance(decision, Send):
                engine.finished(decision.attempt, USAGE, now + 5.0)
        times.append(time.process_time() - begun)
    return 1e6 * sorted(times)[len(times) // 2]


def _crowd(waiting: int, models: int = 12) -> float:
    """The median of the decisions while calls come and end, and the hosts load what they are told."""
    engine, chance, now = _engine(16, models), random.Random(2), 0.0
    for number in range(waiting):
        engine.submit(_call(str(number), chance, models), now)
    times: list[float] = []
    flying: list[int] = []
    for number in range(STEPS):
        now += 0.1
        begun = time.process_time()
        made = engine.decide(now)
        times.append(time.process_time() - begun)
        _obey(engine, made, now)
        flying += [decision.attempt for decision in made if isinstance(decision, Send)]
        if flying:
            engine.finished(flying.pop(chance.randrange(len(flying))), USAGE, now)
            engine.submit(_call(f"later{number}", chance, models), now)
    return 1e3 * sorted(times)[len(times) // 2]


def _call(name: str, chance: random.Random, models: int) -> Call:
    model = min(models - 1, int(chance.expovariate(0.4)))
    return Call(name, (f"model{model}",), 1000.0, session=f"talk{chance.randrange(50)}")


def _obey(engine: Engine, made: list[Decision], now: float) -> None:
    for decision in made:
        if isinstance(decision, Load):
            engine.upkeep.loaded(decision.host, decision.model, 5.0, now)
        elif isinstance(decision, Unload):
            engine.upkeep.unloaded(decision.host, decision.model, now)
