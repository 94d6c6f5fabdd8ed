"""Hosts that fail get no calls for a while: at once when nothing listens, and after several errors; then one call tries them."""

from __future__ import annotations

import pytest
from placing import SMALL, USAGE, fleet, hold, sent

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Failure, Recall, Send
from mmos.placement.health import Breaker


def test_nothing_that_listens_closes_a_host_at_once_and_errors_when_there_are_three() -> None:
    gone, ill = Breaker(), Breaker()
    gone.failed("gone", 100.0)
    assert gone.is_open(101.5)
    for _ in range(2):
        ill.failed("error", 100.0)
        assert not ill.is_open(100.0)
    ill.failed("error", 100.0)
    assert ill.is_open(103.9)
    assert not ill.is_open(106.1)


def test_a_reply_opens_it_again_and_the_count_begins_anew() -> None:
    ill = Breaker()
    for _ in range(3):
        ill.failed("error", 100.0)
    assert ill.on_trial
    ill.answered()
    assert (ill.is_open(100.0), ill.on_trial) == (False, False)
    ill.failed("error", 300.0)
    assert not ill.is_open(300.0)


def test_half_of_the_calls_of_a_minute_are_too_many() -> None:
    ill = Breaker(by_share=True)
    for call in range(2):
        ill.failed("error", 100.0 + call)
        ill.answered()
    ill.failed("error", 110.0)
    assert ill.is_open(110.0), "three of five"
    seldom = Breaker(by_share=True)
    for call in range(9):
        seldom.failed("error", 100.0 + 30.0 * call)
        seldom.answered()
        seldom.answered()
        assert not seldom.is_open(100.0 + 30.0 * call)


@pytest.mark.parametrize(("failure", "longest"), [("gone", 30.0), ("silent", 60.0), ("error", 30.0)])
def test_pauses_grow_to_a_limit_and_are_not_all_alike(failure: Failure, longest: float) -> None:
    breaker, pauses = Breaker(), []
    for number in range(12):
        now = 1000.0 * number + 0.37 * number
        breaker.failed(failure, now)
        pauses.append(breaker.until - now)
    assert all(0.8 * longest <= pause <= 1.2 * longest for pause in pauses[-5:])
    assert len({round(pause, 3) for pause in pauses[-5:]}) > 1
    assert pauses[3] < pauses[-1]


def test_a_busy_host_has_not_failed() -> None:
    breaker = Breaker()
    breaker.failed("busy", 100.0, 7.0)
    assert (breaker.until, breaker.failures, breaker.on_trial) == (107.0, 0, False)


def failing(engine: Engine, model: str, times: int, now: float) -> None:
    for number in range(times):
        engine.submit(Call(f"{model}{number}", (model,), 100), now)
        (send,) = [decision for decision in engine.decide(now) if isinstance(decision, Send)]
        engine.failed(send.attempt, "error", now)
        engine.withdraw(f"{model}{number}", now)


def test_a_model_that_fails_closes_itself_and_not_the_host() -> None:
    engine = fleet("a", models={"m": SMALL, "n": SMALL})
    hold(engine, "a", "m", "n")
    for number in range(3):
        failing(engine, "m", 1, 0.0)
        engine.submit(Call(f"well{number}", ("n",), 100), 0.0)
        (send,) = [decision for decision in engine.decide(0.0) if isinstance(decision, Send)]
        engine.finished(send.attempt, USAGE, 0.0)
    for model in "mn":
        engine.submit(Call(model, (model,), 100), 1.0)
    assert sent(engine.decide(1.0)) == [("n", "a")]
    assert sent(engine.decide(10.0)) == [("m", "a")]


def test_models_that_fail_in_turn_close_the_host() -> None:
    engine = fleet("a", models={"m": SMALL, "n": SMALL, "o": SMALL})
    hold(engine, "a", "m", "n", "o")
    failing(engine, "m", 2, 0.0)
    failing(engine, "n", 1, 0.0)
    engine.submit(Call("o", ("o",), 100), 1.0)
    assert sent(engine.decide(1.0)) == []
    assert sent(engine.decide(10.0)) == [("o", "a")]


@pytest.mark.parametrize("begun", [False, True])
def test_a_call_that_is_forgotten_beside_others_goes_elsewhere_and_closes_nothing(begun: bool) -> None:
    engine = fleet("a", "b", models={"m": SMALL}, slots=2)
    hold(engine, "a", "m")
    engine.submit(Call("hangs", ("m",), 100), 0.0)
    (send,) = [decision for decision in engine.decide(0.0) if isinstance(decision, Send)]
    if begun:
        engine.progress(send.attempt, 0.5)
    recalled = None
    for second in range(1, 80):
        engine.submit(Call(f"{second}", ("m",), 100, hosts=("a",)), float(second))
        made = engine.decide(float(second))
        recalled = next((second for decision in made if isinstance(decision, Recall)), recalled)
        for decision in made:
            if isinstance(decision, Send) and decision.call.id != "hangs":
                engine.progress(decision.attempt, float(second))
                engine.finished(decision.attempt, USAGE, float(second))
    if begun:
        assert recalled is None, "the client of the host watches a reply that has begun"
    else:
        assert recalled is not None
        assert 30 <= recalled < 60
    assert engine.explainer.standing(80.0).stuck == {}
    engine.submit(Call("next", ("m",), 100, hosts=("a",)), 80.0)
    assert ("next", "a") in sent(engine.decide(80.0))
