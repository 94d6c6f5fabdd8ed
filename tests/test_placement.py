"""Which call the placement engine sends where, and when, in cases that one can check by hand."""

from __future__ import annotations

import gc

import pytest
from placing import GIB, PAIR, SMALL, USAGE, fleet, hold, kinds, load, send, sent

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Load, Machine, Mark, Send, Settings, Unload, Usage
from mmos.placement.fluid import drained_at, waiting
from mmos.placement.lines import Line
from mmos.placement.prefixes import Beginnings, Prefixes
from mmos.placement.rates import Rate

# ------------------------------------------------------------ where a call goes


def test_a_call_waits_until_its_model_is_loaded() -> None:
    engine = fleet("one")
    engine.submit(Call("c", ("a",), 500), 0.0)
    (decision,) = engine.decide(0.0)
    assert isinstance(decision, Load)
    assert (decision.host, decision.model, decision.victims) == ("one", "a", ())
    assert engine.decide(1.0) == []
    assert sent(load(engine, [decision], 10.0)) == [("c", "one")]


def test_models_that_do_not_fit_together_get_a_host_each() -> None:
    engine = fleet("one", "two")
    engine.submit(Call("c1", ("a",), 500), 0.0)
    made = engine.decide(0.0)
    engine.submit(Call("c2", ("b",), 500), 0.1)
    made += engine.decide(0.1)
    assert {(decision.host, decision.model) for decision in made if isinstance(decision, Load)} == {("one", "a"), ("two", "b")}


def test_a_host_is_not_swapped_for_calls_that_another_host_answers_soon() -> None:
    engine = fleet("one", "two")
    hold(engine, "one", "a")
    hold(engine, "two", "b")
    for number in range(3):
        engine.submit(Call(f"b{number}", ("b",), 200), float(number))
    engine.submit(Call("a0", ("a",), 200), 3.0)
    made = engine.decide(3.0)
    assert kinds(made) == ["Send"] * 3
    assert {host for call, host in sent(made) if call.startswith("b")} == {"two"}


def test_a_long_queue_is_worth_a_second_copy() -> None:
    engine = fleet("one", "two")
    hold(engine, "one", "a")
    hold(engine, "two", "b")
    for number in range(20):
        engine.submit(Call(f"a{number}", ("a",), 1000), 0.0)
    made = engine.decide(0.0)
    assert [(decision.host, decision.model) for decision in made if isinstance(decision, Unload)] == [("two", "b")]
    (ordered,) = [decision for decision in load(engine, made, 1.0) if isinstance(decision, Load)]
    assert (ordered.host, ordered.model, ordered.victims) == ("two", "a", ("b",))
    assert ordered.terms.gain > ordered.terms.loss


def test_a_host_gets_no_more_calls_than_its_slots_and_one() -> None:
    engine = fleet("one", slots=2)
    hold(engine, "one", "a")
    for number in range(9):
        engine.submit(Call(f"c{number}", ("a",), 500), 0.0)
    assert len(sent(engine.decide(0.0))) == 3
    assert engine.decide(1.0) == []


def test_a_call_waits_for_a_fast_host_rather_than_go_to_a_slow_one() -> None:
    engine = fleet("fast", "slow", models={"s": SMALL})
    for host, seconds in (("fast", 1.0), ("slow", 40.0)):
        hold(engine, host, "s")
        engine.submit(Call(host, ("s",), 500, hosts=(host,)), 0.0)
        engine.finished(send(engine.decide(0.0)).attempt, Usage(500, seconds / 10, 100, seconds, 0.0, seconds), seconds)
    for number in range(4):
        engine.submit(Call(f"c{number}", ("s",), 500), 50.0)
    assert {host for _, host in sent(engine.decide(50.0))} == {"fast"}
    for number in range(60):
        engine.submit(Call(f"d{number}", ("s",), 500), 50.0)
    assert {host for _, host in sent(engine.decide(50.0))} == {"slow"}


def test_a_session_returns_to_the_host_that_has_read_its_prompt() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    hold(engine, "one", "s")
    hold(engine, "two", "s")
    engine.submit(Call("c1", ("s",), 4000, session="talk", hosts=("two",)), 0.0)
    engine.finished(send(engine.decide(0.0)).attempt, Usage(4000, 5.0, 100, 2.0, 0.0, 7.0), 7.0)
    engine.submit(Call("c2", ("s",), 4100, session="talk"), 8.0)
    again = send(engine.decide(8.0))
    assert again.host == "two"
    assert again.terms.saved > 4.0
    assert again.terms.read < 0.5


def test_another_session_takes_the_place_in_the_cache_that_is_missed_least() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    for host, tokens in (("one", 6000), ("two", 300)):
        hold(engine, host, "s")
        engine.submit(Call(host, ("s",), tokens, session=host, hosts=(host,)), 0.0)
        engine.finished(send(engine.decide(0.0)).attempt, Usage(tokens, tokens / 800, 100, 2.0, 0.0, 9.0), 9.0)
    engine.submit(Call("new", ("s",), 1000, session="new"), 10.0)
    assert send(engine.decide(10.0)).host == "two"


HEAD, OTHER = ((11, 1000.0), (12, 2000.0), (13, 3000.0)), ((21, 3000.0),)
"""The marks of two long beginnings."""


def answered(engine: Engine, name: str, blocks: tuple[Mark, ...], *hosts: str, now: float) -> Send:
    """Have a call answered whose prompt has such beginnings."""
    engine.submit(Call(name, ("s",), blocks[-1][1], session=name, blocks=blocks, hosts=hosts), now)
    made = send(engine.decide(now))
    tokens = blocks[-1][1]
    engine.finished(made.attempt, Usage(tokens, (tokens - made.terms.saved * 800) / 800, 100, 2.0, 0.0, 6.0), now + 6.0)
    return made


def test_sessions_with_the_same_beginning_share_what_a_host_has_read() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    hold(engine, "one", "s")
    hold(engine, "two", "s")
    answered(engine, "first", (*HEAD, (14, 3100.0)), "two", now=0.0)
    second = answered(engine, "second", (*HEAD, (15, 3200.0)), now=10.0)
    assert second.host == "two"
    assert 3000 < 3200 * second.terms.saved / (second.terms.saved + second.terms.read) < 3001


def test_a_conversation_finds_the_answer_in_the_cache_too() -> None:
    engine = fleet("one", models={"s": SMALL})
    hold(engine, "one", "s")
    answered(engine, "talk", HEAD, now=0.0)
    again = answered(engine, "talk", (*HEAD, (31, 3100.0), (32, 3150.0)), now=10.0)
    assert 3100 < 3150 * again.terms.saved / (again.terms.saved + again.terms.read) <= 3150


def test_a_beginning_that_many_want_stays_where_it_is() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    hold(engine, "one", "s")
    hold(engine, "two", "s")
    for number in range(4):
        answered(engine, f"many{number}", (*HEAD, (100 + number, 3050.0)), "one", now=10.0 * number)
        answered(engine, f"once{number}", ((200 + number, 3050.0),), "two", now=10.0 * number)
    assert answered(engine, "new", OTHER, now=50.0).host == "two"


def test_a_call_that_waits_on_its_host_takes_the_slot_that_is_free_first() -> None:
    prefixes, talks = Prefixes(2, Beginnings()), [Call(name, ("s",), 3000, blocks=((ord(name), 3000),)) for name in "abc"]
    for number, talk in enumerate(talks, 1):
        prefixes.take(number, talk, 100, float(number))
    prefixes.release(2, 10.0)
    prefixes.release(1, 11.0)
    prefixes.release(3, 12.0)
    assert [prefixes.outlook(talk, 13.0)[0] for talk in talks] == [3000, 0.0, 3000]


def test_waiting_calls_with_the_same_beginning_follow_each_other() -> None:
    engine = fleet("one", models={"s": SMALL})
    hold(engine, "one", "s")
    answered(engine, "first", HEAD, now=0.0)
    for number, blocks in enumerate((OTHER, HEAD, OTHER, HEAD)):
        engine.submit(Call(f"c{number}", ("s",), 3000, session=f"c{number}", blocks=blocks), 10.0)
    assert [name for name, _ in sent(engine.decide(10.0))] == ["c1", "c3"]


def test_either_of_two_models_answers_a_call_that_allows_both() -> None:
    engine = fleet("one", "two")
    hold(engine, "one", "a")
    hold(engine, "two", "b")
    engine.submit(Call("c1", ("a", "b"), 500), 0.0)
    engine.submit(Call("c2", ("a", "b"), 500), 0.0)
    made = [decision for decision in engine.decide(0.0) if isinstance(decision, Send)]
    assert {(decision.host, decision.model) for decision in made} == {("one", "a"), ("two", "b")}


def test_a_second_choice_waits_for_the_first_as_long_as_it_is_told() -> None:
    engine = fleet("one", "two")
    hold(engine, "one", "a")
    hold(engine, "two", "b")
    for number in range(2):
        engine.submit(Call(f"c{number}", ("a", "b"), 500, reluctance=1000.0), 0.0)
    assert {decision.model for decision in engine.decide(0.0) if isinstance(decision, Send)} == {"a"}


# ------------------------------------------------------------ whose turn it is


def test_interactive_calls_go_before_batch_calls() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    for number in range(3):
        engine.submit(Call(f"batch{number}", ("a",), 500, urgent=False), 0.0)
        engine.submit(Call(f"chat{number}", ("a",), 500), 0.0)
    assert [call for call, _ in sent(engine.decide(0.0))] == ["chat0", "chat1"]


def test_a_session_with_many_calls_does_not_hold_up_another() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    for number in range(30):
        engine.submit(Call(f"flood{number}", ("a",), 1000, session="flood"), 0.0)
    attempts = [decision.attempt for decision in engine.decide(0.0) if isinstance(decision, Send)]
    engine.submit(Call("other", ("a",), 1000, session="other"), 1.0)
    order: list[str] = []
    for number in range(12):
        now = 5.0 + 5 * number
        engine.finished(attempts.pop(0), USAGE, now)
        made = [decision for decision in engine.decide(now) if isinstance(decision, Send)]
        attempts += [decision.attempt for decision in made]
        order += [decision.call.id for decision in made]
    assert "other" in order


def test_a_batch_call_gets_its_turn_in_the_end() -> None:
    """There are more interactive calls than the host can answer."""
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("batch", ("a",), 500, urgent=False), 0.0)
    attempts: list[int] = []
    for number in range(500):
        now = 4.0 * number
        for chat in range(2):
            engine.submit(Call(f"chat{number}.{chat}", ("a",), 500, session=f"s{number}.{chat}"), now)
        if len(attempts) > 1:
            engine.finished(attempts.pop(0), USAGE, now)
        made = [decision for decision in engine.decide(now) if isinstance(decision, Send)]
        attempts += [decision.attempt for decision in made]
        if "batch" in [decision.call.id for decision in made]:
            return
    pytest.fail("the batch call was never sent")


# ------------------------------------------------------------ what is learned


def test_one_sample_on_any_model_tells_how_fast_a_host_is() -> None:
    rate = Rate()
    rate.learn("slow", "m1", 0.02, 0.08)
    rate.learn("fast", "m1", 0.02, 0.01)
    assert rate.estimate("slow", "m2", 0.05) > 3 * rate.estimate("fast", "m2", 0.05)


def test_a_wild_sample_changes_little() -> None:
    rate = Rate()
    for _ in range(10):
        rate.learn("one", "m", 1.0, 1.0)
    rate.learn("one", "m", 1.0, 1000.0)
    assert 1.0 < rate.estimate("one", "m", 1.0) < 1.5


def test_the_waiting_of_a_queue_is_that_of_its_calls() -> None:
    one_by_one = sum(10.0 * (number + 0.5) for number in range(4))
    assert waiting(4, 0.0, [(0.0, 0.1)], 1000.0) == pytest.approx(one_by_one)
    assert waiting(4, 0.0, [], 100.0) == pytest.approx(400.0)
    assert waiting(4, 0.0, [(0.0, 0.1), (0.0, 0.1)], 1000.0) == pytest.approx(one_by_one / 2)
    assert drained_at(4, [(10.0, 0.1)]) == pytest.approx(50.0)


# ------------------------------------------------------------ explanations and policies


def test_a_waiting_call_has_a_place_and_an_estimate() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    for number in range(6):
        engine.submit(Call(f"c{number}", ("a",), 500), 0.0)
    engine.decide(0.0)
    near, far = (engine.explainer.outlooks([call], 0.0).get(call) for call in ("c2", "c5"))
    assert near is not None
    assert far is not None
    assert near.position < far.position
    assert near.seconds is not None
    assert far.seconds is not None
    assert 0 < near.seconds < far.seconds
    assert engine.explainer.outlooks(["c0"], 0.0) == {}


def test_the_terms_of_a_call_say_why_and_sum_up() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("c0", ("a",), 500), 0.0)
    engine.submit(Call("c1", ("a",), 500), 0.0)
    first, second = [decision for decision in engine.decide(0.0) if isinstance(decision, Send)]
    assert first.terms.wait == 0.0
    assert second.terms.wait == pytest.approx(first.terms.until_done)
    assert second.terms.total >= second.terms.wait + second.terms.read + second.terms.write


@pytest.mark.parametrize(
    ("policy", "hosts"),
    [
        ("round_robin", ["one", "two", "one", "two"]),
        ("least_busy", ["one", "two", "one", "two"]),
        ("warm_first", ["two", "two", "two", "two"]),
        ("sticky", ["one", "two", "one", "two"]),
    ],
)
def test_a_classic_policy_sends_at_once(policy: str, hosts: list[str]) -> None:
    engine = fleet("one", "two", policy=policy)
    hold(engine, "two", "a")
    for number in range(4):
        engine.submit(Call(f"c{number}", ("a",), 500, session=f"s{number % 2}"), 0.0)
    assert [host for _, host in sent(engine.decide(0.0))] == hosts


def test_the_settings_are_constants_that_one_can_change() -> None:
    engine = Engine([Machine("one", 1, 24 * GIB)], Settings(ahead=0))
    engine.installed("one", PAIR)
    hold(engine, "one", "a")
    for number in range(3):
        engine.submit(Call(f"c{number}", ("a",), 500), 0.0)
    assert len(sent(engine.decide(0.0))) == 1


def test_lines_that_nobody_uses_any_more_are_forgotten() -> None:
    """The engine does not grow with the kinds of calls that it has ever seen."""
    engine = fleet("one", models={"seldom": SMALL})
    hold(engine, "one", "seldom")
    for number in range(200):
        now = 1000.0 * number
        engine.submit(Call(f"c{number}", ("seldom",), 500, window=number + 1), now)
        engine.finished(send(engine.decide(now)).attempt, USAGE, now + 5.0)
    assert sum(isinstance(found, Line) and found.kind[0] == ("seldom",) for found in gc.get_objects()) < 20
