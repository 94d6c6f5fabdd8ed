"""What the placement engine makes of a host that pushes models out by surprise: it learns why, and sends it no calls to two models by turns."""

from __future__ import annotations

import pytest
from placing import GIB, SMALL, USAGE, fleet, hold, send, sent

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Load, Machine, Resident
from mmos.placement.memory import Memory


def test_what_was_pushed_out_once_does_not_fit_the_next_time() -> None:
    memory = Memory(Machine("one"))
    memory.seen([Resident("a", 3 * GIB)])
    memory.pushed_out(3 * GIB, [3 * GIB])
    assert not memory.fits(3 * GIB, [3 * GIB])


@pytest.mark.parametrize(("told", "size", "one_at_a_time"), [(24, 5, True), (24, 12, False), (None, 1, True), (None, 5, False)])
def test_a_host_that_pushes_a_model_out_although_much_is_free_holds_so_many(told: int | None, size: int, one_at_a_time: bool) -> None:
    """`OLLAMA_MAX_LOADED_MODELS=1`. Without much free memory it is more likely that there was too little."""
    memory = Memory(Machine("one", memory=told and told * GIB))
    memory.seen([Resident("a", size * GIB)])
    memory.pushed_out(size * GIB, [size * GIB])
    assert memory.may_fit(0.1 * GIB, [0.1 * GIB]) is not one_at_a_time
    memory.seen([Resident("a", 0.1 * GIB), Resident("b", 0.1 * GIB)])
    assert memory.may_fit(0.1 * GIB, [0.1 * GIB])


def test_a_model_that_was_pushed_out_while_it_had_calls_comes_back_before_anything_else_is_sent() -> None:
    """A host that holds one model at a time, which nobody knew, has loaded a second one, and now has calls for both."""
    engine = fleet("one", models={"s": SMALL, "t": SMALL})
    hold(engine, "one", "s")
    engine.submit(Call("t1", ("t",), 500), 1.0)
    t1 = ride(engine, *(decision for decision in engine.decide(1.0) if isinstance(decision, Load)))
    engine.submit(Call("s1", ("s",), 500), 2.0)
    s1 = send(engine.decide(2.0)).attempt
    engine.resident("one", [Resident("t", SMALL.weights)], 2.1)
    for name in ("s2", "t2", "s3", "t3"):
        engine.submit(Call(name, (name[0],), 500), 2.2)
    assert sent(engine.decide(2.2)) == []
    engine.finished(t1, USAGE, 2.5)
    assert sent(engine.decide(2.5)) == [], "the host loads s again as soon as t has no calls"
    engine.progress(s1, 3.0)
    assert sent(engine.decide(3.0)) == [("s2", "one")]
    engine.resident("one", [Resident("s", SMALL.weights)], 3.1)
    engine.finished(s1, USAGE, 3.2)
    assert sent(engine.decide(3.2)) == [("s3", "one")]


def ride(engine: Engine, order: Load) -> int:
    """A call is the load, and its reply begins. Its attempt."""
    rider = engine.board(order, 1.0)
    assert rider is not None
    engine.progress(rider.attempt, 2.0)
    return rider.attempt


def doubtful() -> Engine:
    """A call waits for a model beside which the host has just loaded another one."""
    engine = Engine([Machine("one")])
    engine.installed("one", {"s": SMALL, "t": SMALL})
    hold(engine, "one", "s")
    engine.submit(Call("t1", ("t",), 500), 1.0)
    [order] = [decision for decision in engine.decide(1.0) if isinstance(decision, Load)]
    ride(engine, order)
    engine.submit(Call("s1", ("s",), 500), 2.0)
    return engine


def test_a_call_waits_a_moment_when_its_model_may_have_been_pushed_out() -> None:
    """The host has loaded a model beside another one, of which nobody knows whether it is still there."""
    engine = doubtful()
    assert sent(engine.decide(2.0)) == []
    engine.resident("one", [Resident("s", SMALL.weights), Resident("t", SMALL.weights)], 2.1)
    assert sent(engine.decide(2.1)) == [("s1", "one")]
    engine.submit(Call("s2", ("s",), 500), 3.5)
    assert sent(engine.decide(3.5)) == [("s2", "one")]


def test_a_host_that_does_not_list_its_models_gets_the_call_after_a_second() -> None:
    engine = doubtful()
    assert sent(engine.decide(2.9)) == []
    assert sent(engine.decide(3.1)) == [("s1", "one")]
