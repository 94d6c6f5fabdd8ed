"""What a job of several models is said to cost before it is asked, in cases that one can check by hand."""

from __future__ import annotations

import pytest
from placing import GIB, SMALL, USAGE, fleet, hold

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Machine
from mmos.placement.forecasting import Forecast, Planning

THREE = {"a": SMALL, "b": SMALL, "c": SMALL}


def one_at_a_time() -> Engine:
    engine = Engine([Machine("one", 1, 4 * GIB)])
    engine.installed("one", THREE)
    return engine


def foreseen(engine: Engine, *stages: str) -> Forecast:
    return engine.explainer.forecast([[Planning(model, prompt_tokens=1000, output_tokens=100) for model in stage] for stage in stages], 0.0)


def test_the_model_in_memory_answers_first() -> None:
    engine = one_at_a_time()
    hold(engine, "one", "c")
    cost = foreseen(engine, "abc")
    assert next(call.model for call in cost.calls) == "c"
    assert cost.loads == 2
    assert [call.victims for call in cost.calls] == [(), ("c",), ("a",)]


def test_calls_that_share_a_model_share_its_load() -> None:
    cost = foreseen(one_at_a_time(), "abab")
    assert [call.model for call in cost.calls] == ["a", "a", "b", "b"]
    assert cost.loads == 2


def test_the_steps_of_a_sequence_keep_their_order() -> None:
    engine = one_at_a_time()
    hold(engine, "one", "c")
    cost = foreseen(engine, "a", "b", "c")
    assert [call.model for call in cost.calls] == ["a", "b", "c"]
    assert cost.loads == 3
    assert cost.seconds == pytest.approx(cost.gpu_seconds)


def test_what_fits_side_by_side_runs_side_by_side() -> None:
    engine = fleet("one", models=THREE)
    hold(engine, "one", "a", "b", "c")
    cost = foreseen(engine, "abc")
    assert cost.loads == 0
    assert cost.seconds == pytest.approx(cost.gpu_seconds / 3)


def test_more_hosts_take_less_time_and_as_many_seconds_of_their_gpus() -> None:
    models = {"a": SMALL}
    one, two = fleet("one", models=models), fleet("one", "two", models=models)
    hold(one, "one", "a")
    for host in ("one", "two"):
        hold(two, host, "a")
    assert foreseen(two, "aaaa").seconds == pytest.approx(foreseen(one, "aaaa").seconds / 2)
    assert foreseen(two, "aaaa").gpu_seconds == pytest.approx(foreseen(one, "aaaa").gpu_seconds)


def test_a_model_that_no_host_has_is_named_and_the_rest_is_told() -> None:
    cost = foreseen(one_at_a_time(), "ax", "b")
    assert cost.missing == ["x"]
    assert [call.model for call in cost.calls if call.host] == ["a", "b"]


def test_a_host_that_may_not_be_used_does_not_count() -> None:
    engine = fleet("one", "two", models=THREE)
    hold(engine, "one", "a")
    cost = engine.explainer.forecast([[Planning("a", ("two",), 10, 10)]], 0.0)
    assert [(call.host, call.loads) for call in cost.calls] == [("two", True)]
    assert engine.explainer.forecast([[Planning("a", ("three",), 10, 10)]], 0.0).missing == ["a"]


def test_a_pinned_model_stays() -> None:
    engine = Engine([Machine("one", 1, 8 * GIB, pinned=("a",))])
    engine.installed("one", THREE)
    hold(engine, "one", "a", "b")
    (call,) = foreseen(engine, "c").calls
    assert call.victims == ("b",)


def test_it_is_a_guess_until_the_model_has_answered_there() -> None:
    engine = one_at_a_time()
    hold(engine, "one", "a")
    assert foreseen(engine, "a").guessed
    engine.submit(Call("c1", ("a",), 1000), 0.0)
    (made,) = [decision for decision in engine.decide(0.0) if hasattr(decision, "attempt")]
    engine.finished(made.attempt, USAGE, 5.0)
    engine.decide(6.0)
    known = engine.explainer.forecast([[Planning("a", prompt_tokens=1000, output_tokens=100)]], 6.0)
    assert not known.guessed
    assert known.seconds == pytest.approx(5.0, rel=0.5)


def test_nothing_is_nothing() -> None:
    assert foreseen(one_at_a_time()) == Forecast((), 0.0)
