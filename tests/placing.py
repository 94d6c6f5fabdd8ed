"""Small fleets for tests of the placement engine."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.placement.engine import Engine
from mmos.placement.facts import Decision, Load, Look, Machine, Need, Resident, Send, Unload, Usage

GIB = 1 << 30
SMALL, LARGE, HUGE = Need(3 * GIB), Need(14 * GIB), Need(19 * GIB)
PAIR = {"a": HUGE, "b": HUGE}
USAGE = Usage(1000, 1.0, 100, 4.0, 0.0, 5.0)


def fleet(*hosts: str, models: dict[str, Need] | None = None, slots: int = 1, policy: str = "completion_time") -> Engine:
    engine = Engine([Machine(host, slots, 24 * GIB) for host in hosts], policy=policy)
    for host in hosts:
        engine.installed(host, models or PAIR)
    return engine


def hold(engine: Engine, host: str, *models: str, now: float = 0.0) -> None:
    engine.resident(host, [Resident(model, PAIR.get(model, SMALL).weights) for model in models], now)


def sent(decisions: Iterable[Decision]) -> list[tuple[str, str]]:
    return [(decision.call.id, decision.host) for decision in decisions if isinstance(decision, Send)]


def send(decisions: Iterable[Decision]) -> Send:
    (only,) = [decision for decision in decisions if isinstance(decision, Send)]
    return only


def kinds(decisions: Iterable[Decision]) -> list[str]:
    return [type(decision).__name__ for decision in decisions if not isinstance(decision, Look)]


def load(engine: Engine, decisions: Iterable[Decision], now: float, seconds: float = 10.0) -> list[Decision]:
    """Do the loads and unloads that were decided, and decide again."""
    for decision in decisions:
        if isinstance(decision, Unload):
            engine.upkeep.unloaded(decision.host, decision.model, now)
        elif isinstance(decision, Load):
            engine.upkeep.loaded(decision.host, decision.model, seconds, now)
    return engine.decide(now)
