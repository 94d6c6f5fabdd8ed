"""A call can be the load of its model: it goes there before the model is in memory, and the model is there when it shows progress."""

from __future__ import annotations

import pytest
from placing import PAIR, USAGE, fleet, hold, kinds, send, sent

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Load, Resident, Send


def call(number: int, *hosts: str, model: str = "a") -> Call:
    return Call(f"c{number}", (model,), 1000.0, 100.0, hosts=hosts)


def boarded(engine: Engine, now: float = 0.0) -> Send:
    """The call that is the load that the engine decides now."""
    (load,) = [decision for decision in engine.decide(now) if isinstance(decision, Load)]
    first = engine.board(load, now)
    assert first is not None
    return first


def test_the_first_waiting_call_is_the_load_and_one_more_follows_it() -> None:
    engine = fleet("x")
    for number in range(4):
        engine.submit(call(number), 0.0)
    assert boarded(engine).call.id == "c0"
    assert sent(engine.decide(0.0)) == [("c1", "x")]
    assert sent(engine.decide(1.0)) == []


def test_the_model_is_in_memory_when_the_call_that_loads_it_shows_progress() -> None:
    engine = fleet("x")
    engine.submit(call(0), 0.0)
    first = boarded(engine)
    engine.progress(first.attempt, 9.0)
    assert engine.upkeep.stays("x")
    assert kinds(engine.decide(9.0)) == []
    assert engine.finished(first.attempt, USAGE._replace(load_seconds=8.0), 14.0)
    engine.submit(call(1), 15.0)
    assert send(engine.decide(15.0)).terms.wait == 0.0


@pytest.mark.parametrize("how", ["fails", "is withdrawn"])
def test_when_the_call_that_loads_fails_the_next_one_is_the_load(how: str) -> None:
    engine = fleet("x")
    engine.submit(call(0), 0.0)
    first = boarded(engine)
    engine.submit(call(1), 1.0)
    engine.submit(call(2), 1.0)
    if how == "fails":
        assert engine.failed(first.attempt, None, 2.0)
    engine.withdraw("c0", 2.0)
    assert not engine.upkeep.stays("x")
    assert boarded(engine, 2.0).call.id == "c1"


def test_a_model_that_is_missing_ends_its_load() -> None:
    engine = fleet("x", "y")
    engine.submit(call(0), 0.0)
    first = boarded(engine)
    assert engine.failed(first.attempt, "missing", 1.0)
    assert boarded(engine, 1.0).host == ("y" if first.host == "x" else "x")


def test_a_load_for_which_no_call_waits_needs_a_task_of_its_own() -> None:
    engine = fleet("x")
    engine.submit(call(0), 0.0)
    (load,) = [decision for decision in engine.decide(0.0) if isinstance(decision, Load)]
    engine.withdraw("c0", 0.0)
    assert engine.board(load, 0.0) is None


def test_a_call_that_waits_again_keeps_its_turn_and_may_have_other_hosts() -> None:
    engine = fleet("x", "y")
    hold(engine, "x", "a")
    hold(engine, "y", "a")
    engine.submit(call(0, "x", "y"), 0.0)
    first = send(engine.decide(0.0))
    other = "y" if first.host == "x" else "x"
    engine.failed(first.attempt, None, 1.0)
    engine.submit(call(0, other), 1.0)
    assert sent(engine.decide(1.0)) == [("c0", other)]


def test_a_call_whose_hosts_all_failed_goes_to_the_one_that_would_open_first() -> None:
    engine = fleet("x", "y")
    hold(engine, "x", "a")
    hold(engine, "y", "a")
    for number, (host, failure) in enumerate([("x", "silent"), ("y", "gone")]):
        engine.submit(call(number, host), 0.0)
        engine.failed(send(engine.decide(0.0)).attempt, failure, 0.0)  # type: ignore[arg-type]
        engine.withdraw(f"c{number}", 0.0)
    engine.submit(call(8, "x", "y"), 0.1)
    assert sent(engine.decide(0.1)) == []
    engine.upkeep.insist(call(8, "x", "y"), 0.1)
    assert sent(engine.decide(0.1)) == [("c8", "y")]


def test_a_host_that_lists_the_model_before_its_call_shows_progress_can_load_another_one_later() -> None:
    engine = fleet("x")
    engine.submit(call(0), 0.0)
    first = boarded(engine)
    hold(engine, "x", "a", now=1.0)
    assert kinds(engine.decide(1.0)) == []
    engine.finished(first.attempt, USAGE, 10.0)
    engine.submit(call(1, model="b"), 11.0)
    assert kinds(engine.decide(11.0)) == ["Unload"]


def test_calls_follow_one_that_loads_only_when_the_load_should_have_ended_so_that_other_hosts_can_take_them() -> None:
    engine = fleet("x", "y")
    engine.submit(call(0, "x"), 0.0)
    first = boarded(engine)
    engine.submit(call(1), 1.0)
    made = engine.decide(1.0)
    assert sent(made) == []
    engine.resident("y", [Resident("a", PAIR["a"].weights)], 2.0)
    assert sent(engine.decide(2.0)) == [("c1", "y")]
    engine.submit(call(2), 3.0)
    assert sent(engine.decide(3.0)) == []
    assert ("c2", "x") in sent(engine.decide(first.terms.wait + 5.0))
