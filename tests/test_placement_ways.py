"""When a call has only one way, it goes there without a decision, and as it would have gone with one."""

from __future__ import annotations

from placing import PAIR, USAGE, fleet, hold, send

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Resident, Usage
from mmos.placement.ways import Way


def found(engine: Engine, model: str = "a") -> Way:
    way = engine.way(Call("like", (model,), 500))
    assert way is not None
    return way


def one(slots: int = 1, *models: str) -> Engine:
    engine = fleet("one", slots=slots)
    hold(engine, "one", *(models or ("a",)))
    return engine


def test_it_goes_where_a_decision_would_send_it_at_the_same_price() -> None:
    decided, express = one(), one()
    for number in range(6):
        now, tokens = 10.0 * number, 500 + 40.0 * number
        call = Call(f"c{number}", ("a",), tokens, session="s", blocks=((7, tokens),))
        usage = Usage(call.prompt_tokens, 1.0 / (number + 1), 100, 4.0 - number / 3, 0.0, 5.0)
        assert express.estimates.of_model("one", "a") == decided.estimates.of_model("one", "a")
        decided.submit(call, now)
        slow, fast = send(decided.decide(now)), express.express(call, found(express), now)
        assert (fast.host, fast.model, fast.window, fast.others) == (slow.host, slow.model, slow.window, slow.others)
        assert fast.terms == slow.terms
        assert decided.finished(slow.attempt, usage, now + 5)
        assert express.finished(fast.attempt, usage, now + 5)
    assert express.is_quiet


def test_it_is_closed_when_its_slots_are_taken_or_another_call_waits() -> None:
    engine = one()
    way = found(engine)
    first = engine.express(Call("c1", ("a",), 500), way, 0.0)
    assert not engine.is_clear(way, 0.0)
    engine.finished(first.attempt, USAGE, 5.0)
    assert engine.is_clear(way, 5.0)
    engine.submit(Call("c2", ("b",), 500), 5.0)
    assert not engine.is_clear(way, 5.0)


def test_it_is_closed_when_its_host_failed_and_until_one_call_has_tried_it() -> None:
    engine = one(2)
    way = found(engine)
    sent = engine.express(Call("c1", ("a",), 500), way, 0.0)
    engine.failed(sent.attempt, "gone", 1.0)
    assert not engine.is_clear(way, 1.0)
    retried = send(engine.decide(60.0))
    assert not engine.is_clear(way, 60.0)
    engine.finished(retried.attempt, USAGE, 65.0)
    assert engine.is_clear(way, 65.0)


def test_it_ends_when_its_model_leaves_and_when_another_host_gets_the_model() -> None:
    engine = fleet("one", "two", models={"b": PAIR["b"]})
    engine.installed("one", PAIR)
    hold(engine, "one", "a")
    way = found(engine)
    hold(engine, "one", "b", now=1.0)
    assert not engine.is_clear(way, 1.0)
    assert engine.way(Call("like", ("a",), 500)) is None
    hold(engine, "one", "a", now=2.0)
    way = found(engine)
    engine.installed("two", PAIR)
    assert not engine.is_clear(way, 2.0)
    assert engine.way(Call("like", ("a",), 500)) is None


def test_there_is_none_for_a_larger_window_and_under_a_classic_policy() -> None:
    engine = fleet("one")
    engine.resident("one", [Resident("a", PAIR["a"].weights, 4096)], 0.0)
    assert engine.way(Call("like", ("a",), 500, window=4096)) is not None
    assert engine.way(Call("like", ("a",), 500, window=8192)) is None
    classic = fleet("one", policy="least_busy")
    hold(classic, "one", "a")
    assert classic.way(Call("like", ("a",), 500)) is None
