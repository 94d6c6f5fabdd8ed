"""Which models the placement engine loads and unloads, and what it does when hosts fail."""

from __future__ import annotations

from placing import GIB, HUGE, PAIR, SMALL, USAGE, fleet, hold, kinds, load, send, sent

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Load, Machine, Need, Recall, Resident, Unload, Usage
from mmos.placement.memory import Memory

# ------------------------------------------------------------ loads


def test_a_victim_ends_its_calls_before_it_leaves_and_gets_no_new_ones() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("a1", ("a",), 500), 0.0)
    running = send(engine.decide(0.0))
    for number in range(30):
        engine.submit(Call(f"b{number}", ("b",), 1000), 1.0)
    assert kinds(engine.decide(1.0)) == []
    engine.submit(Call("a2", ("a",), 500), 2.0)
    assert kinds(engine.decide(2.0)) == []
    engine.finished(running.attempt, USAGE, 5.0)
    made = engine.decide(5.0)
    assert kinds(made) == ["Unload"]
    assert kinds(load(engine, made, 6.0)) == ["Load"]


def test_a_drain_ends_when_nobody_wants_the_load_any_more() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("a1", ("a",), 500), 0.0)
    engine.decide(0.0)
    for number in range(30):
        engine.submit(Call(f"b{number}", ("b",), 1000), 1.0)
    engine.decide(1.0)
    for number in range(30):
        engine.withdraw(f"b{number}", 1.5)
    engine.submit(Call("a2", ("a",), 500), 2.0)
    assert sent(engine.decide(2.0)) == [("a2", "one")]


def test_a_host_that_does_not_answer_is_not_asked_again_at_once_to_unload() -> None:
    engine = fleet("one", "two")
    hold(engine, "one", "a")
    hold(engine, "two", "a")
    for number in range(30):
        engine.submit(Call(f"b{number}", ("b",), 1000, hosts=("one",)), 0.0)
    assert kinds(engine.decide(0.0)) == ["Unload"]
    engine.upkeep.unloaded("one", "a", 0.1, done=False)
    assert kinds(engine.decide(0.1)) == []
    assert engine.wake(0.1) > 0.5
    assert kinds(engine.decide(5.0)) == ["Unload"]


def test_a_pinned_model_stays() -> None:
    for pinned, expected in (({"a"}, []), ((), ["Unload"])):
        engine = Engine([Machine("one", 1, 24 * GIB, pinned=pinned)])
        engine.installed("one", PAIR)
        hold(engine, "one", "a")
        for number in range(30):
            engine.submit(Call(f"b{number}", ("b",), 1000), 0.0)
        assert kinds(engine.decide(0.0)) == expected


def test_of_two_hosts_that_pin_a_model_one_may_unload_it() -> None:
    engine = Engine([Machine(host, 1, 24 * GIB, pinned={"a"}) for host in ("one", "two")])
    for host in ("one", "two"):
        engine.installed(host, PAIR)
        hold(engine, host, "a")
    for number in range(30):
        engine.submit(Call(f"b{number}", ("b",), 1000), 0.0)
    assert kinds(engine.decide(0.0)) == ["Unload"]
    assert kinds(engine.decide(100.0)) == []


def test_the_model_that_nobody_wants_leaves_first() -> None:
    models = {"a": Need(8 * GIB), "b": Need(8 * GIB), "c": Need(8 * GIB)}
    engine = fleet("one", models=models)
    engine.resident("one", [Resident("a", 8 * GIB), Resident("b", 8 * GIB)], 0.0)
    for number in range(4):
        engine.submit(Call(f"a{number}", ("a",), 500), 10.0 * number)
        engine.finished(send(engine.decide(10.0 * number)).attempt, USAGE, 10.0 * number + 5)
    engine.submit(Call("c", ("c",), 500), 40.0)
    assert [decision.model for decision in engine.decide(40.0) if isinstance(decision, Unload)] == ["b"]


def test_a_model_with_a_window_that_is_too_small_is_loaded_again() -> None:
    engine = fleet("one", models={"s": Need(3 * GIB, 100_000.0)})
    engine.resident("one", [Resident("s", 4 * GIB, 4096)], 0.0)
    engine.submit(Call("small", ("s",), 500, window=4096), 0.0)
    running = send(engine.decide(0.0))
    assert running.window == 4096
    engine.finished(running.attempt, USAGE, 5.0)
    engine.submit(Call("large", ("s",), 500, window=16384), 6.0)
    made = engine.decide(6.0)
    assert kinds(made) == ["Unload"]
    (ordered,) = load(engine, made, 7.0)
    assert isinstance(ordered, Load)
    assert ordered.window == 16384


def test_an_unknown_memory_is_learned_from_what_the_host_keeps_and_pushes_out() -> None:
    memory = Memory(Machine("one"))
    memory.seen([Resident("a", 9 * GIB)])
    assert memory.fits(0.5 * GIB, [9 * GIB])
    assert not memory.fits(9 * GIB, [9 * GIB])
    assert memory.may_fit(9 * GIB, [9 * GIB])
    memory.pushed_out(9 * GIB, [9 * GIB])
    assert not memory.may_fit(9 * GIB, [9 * GIB])
    assert memory.may_fit(4 * GIB, [9 * GIB])
    memory.seen([Resident("a", 9 * GIB), Resident("c", 4 * GIB)])
    assert memory.fits(2 * GIB, [9 * GIB])


def test_a_model_that_is_partly_in_main_memory_tells_how_large_the_gpu_is() -> None:
    memory = Memory(Machine("one"))
    assert memory.slowness(20 * GIB) == 1.0
    memory.seen([Resident("a", 20 * GIB, on_gpu=10 * GIB)])
    assert 6.0 < memory.slowness(20 * GIB) < 7.0
    assert memory.slowness(10 * GIB) == 1.0


def test_an_unknown_host_is_left_to_decide_until_it_has_shown_what_it_holds() -> None:
    engine = Engine([Machine("one")])
    engine.installed("one", PAIR)
    now = 0.0
    for model, kind in (("a", "Load"), ("b", "Load"), ("a", "Unload")):
        engine.submit(Call(f"{model}{now}", (model,), 500), now)
        made = engine.decide(now)
        assert kinds(made) == [kind], "the first load beside another is a try; the second time it is known"
        while "Send" not in kinds(made):
            now += 10.0
            made = load(engine, made, now)
            hold(engine, "one", model, now=now)
        engine.finished(send(made).attempt, USAGE, now + 5.0)
        now += 20.0


# ------------------------------------------------------------ faults


def test_a_call_goes_to_another_host_when_one_fails_and_the_host_is_tried_again_later() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    hold(engine, "one", "s")
    hold(engine, "two", "s")
    engine.submit(Call("c", ("s",), 500), 0.0)
    first = send(engine.decide(0.0))
    assert engine.failed(first.attempt, "gone", 1.0)
    second = send(engine.decide(1.0))
    assert second.host != first.host
    engine.failed(second.attempt, "gone", 2.0)
    assert sent(engine.decide(2.0)) == []
    wake = engine.wake(2.0)
    assert wake is not None
    assert sent(engine.decide(wake + 1.0)) != []


def test_a_host_without_progress_loses_its_call_to_another() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    hold(engine, "one", "s")
    hold(engine, "two", "s")
    engine.submit(Call("c", ("s",), 500), 0.0)
    stuck = send(engine.decide(0.0))
    late = 0.0
    while not (made := engine.decide(late)):
        wake = engine.wake(late)
        assert wake is not None
        late = wake
    assert [decision.attempt for decision in made if isinstance(decision, Recall)] == [stuck.attempt]
    assert send(made).host != stuck.host
    assert 15 < late < 120


def test_progress_keeps_a_slow_answer_alive() -> None:
    engine = fleet("one", "two", models={"s": SMALL})
    hold(engine, "one", "s")
    engine.submit(Call("c", ("s",), 500), 0.0)
    slow = send(engine.decide(0.0))
    for second in range(0, 600, 5):
        engine.progress(slow.attempt, float(second))
        assert engine.decide(float(second)) == []


def test_the_only_host_keeps_its_call() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("c", ("a",), 500), 0.0)
    engine.decide(0.0)
    assert engine.decide(10_000.0) == []


def test_a_model_that_does_not_fit_is_not_loaded_there_again_for_a_while() -> None:
    engine = fleet("one", "two")
    engine.submit(Call("c", ("a",), 500), 0.0)
    (first,) = engine.decide(0.0)
    assert isinstance(first, Load)
    engine.upkeep.load_failed(first.host, "a", "memory", 5.0)
    (second,) = [decision for decision in engine.decide(5.0) if isinstance(decision, Load)]
    assert second.host != first.host


def test_a_list_that_is_older_than_a_load_says_nothing_about_it() -> None:
    engine = fleet("one")
    engine.submit(Call("c", ("a",), 500), 0.0)
    made = engine.decide(0.0)
    assert sent(load(engine, made, 10.0)) == [("c", "one")]
    engine.resident("one", [], 10.5, asked=9.9)
    engine.submit(Call("d", ("a",), 500), 11.0)
    assert sent(engine.decide(11.0)) == [("d", "one")]


def test_a_host_that_refuses_to_unload_gets_every_call_at_once() -> None:
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("b1", ("b",), 1000), 0.0)
    (unload,) = engine.decide(0.0)
    assert isinstance(unload, Unload)
    engine.upkeep.disobeys("one", 0.1)
    engine.upkeep.unloaded("one", unload.model, 0.1)
    first = send(engine.decide(0.1))
    engine.finished(first.attempt, USAGE, 1.0)
    engine.submit(Call("a1", ("a",), 1000), 1.0)
    assert sent(engine.decide(1.0)) == [("a1", "one")]


def test_that_a_host_keeps_more_models_than_usual_is_found_by_a_try() -> None:
    memory = Memory(Machine("one", memory=24 * GIB))
    three = [3 * GIB] * 3
    assert not memory.fits(3 * GIB, three)
    assert memory.may_fit(3 * GIB, three)
    memory.seen(Resident(model, 3 * GIB) for model in "abcd")
    assert memory.fits(3 * GIB, three)
    assert not memory.may_fit(18 * GIB, three)


def test_a_host_that_pushes_out_the_fourth_model_is_not_tried_again() -> None:
    memory = Memory(Machine("one", memory=24 * GIB))
    three = [3 * GIB] * 3
    memory.pushed_out(3 * GIB, three)
    assert not memory.may_fit(3 * GIB, three)
    assert memory.fits(3 * GIB, three[:2])


def test_a_model_that_the_host_will_unload_for_a_load_does_not_count_as_back() -> None:
    """The host is asked what it holds while the load is about to begin: the list still has the model that must leave."""
    engine = fleet("one")
    hold(engine, "one", "a")
    engine.submit(Call("c", ("b",), 500), 1.0)
    (order,) = [decision for decision in load(engine, engine.decide(1.0), 1.0) if isinstance(decision, Load)]
    engine.board(order, 1.0)
    engine.resident("one", [Resident("a", PAIR["a"].weights)], 2.0, asked=1.5)
    engine.submit(Call("d", ("a",), 500), 2.0)
    assert sent(engine.decide(2.0)) == []


# ------------------------------------------------------------ a load instead of a slow host


def test_a_call_does_not_go_to_a_slow_host_when_a_load_elsewhere_is_faster() -> None:
    engine = fleet("fast", "slow", models={"s": SMALL, "t": SMALL})
    for host, model, seconds in (("fast", "t", 1.0), ("slow", "s", 60.0)):
        hold(engine, host, model)
        engine.submit(Call(host, (model,), 500, hosts=(host,)), 0.0)
        engine.finished(send(engine.decide(0.0)).attempt, Usage(500, seconds / 10, 100, seconds, 0.0, seconds), seconds)
    engine.submit(Call("c", ("s",), 500), 100.0)
    made = engine.decide(100.0)
    assert [(decision.host, decision.model) for decision in made if isinstance(decision, Load)] == [("fast", "s")]
    assert sent(made) == []
    assert sent(load(engine, made, 103.0)) == [("c", "fast")]


def test_a_call_waits_for_a_load_that_is_planned_rather_than_go_to_a_slow_host() -> None:
    engine = fleet("fast", "slow", models={"s": SMALL, "h": HUGE})
    hold(engine, "fast", "h")
    hold(engine, "slow", "s")
    for host, model, seconds in (("fast", "h", 4.0), ("slow", "s", 60.0)):
        engine.submit(Call(host, (model,), 500, hosts=(host,)), 0.0)
        engine.finished(send(engine.decide(0.0)).attempt, Usage(500, seconds / 10, 100, seconds, 0.0, seconds), seconds)
    engine.submit(Call("busy", ("h",), 500), 100.0)
    assert sent(engine.decide(100.0)) == [("busy", "fast")]
    for number in range(3):
        engine.submit(Call(f"c{number}", ("s",), 500), 100.0 + number)
        assert sent(engine.decide(100.0 + number)) == []
    assert engine.explainer.standing(103.0).loads[0].host == "fast"


def test_a_model_is_not_loaded_where_it_does_not_fit_while_its_host_is_busy() -> None:
    engine = Engine([Machine("large", 1, 48 * GIB), Machine("little", 1, 8 * GIB)])
    for host in ("large", "little"):
        engine.installed(host, {"h": HUGE, "g": Need(40 * GIB)})
    engine.submit(Call("g", ("g",), 500), 0.0)
    assert kinds(engine.decide(0.0)) == ["Load"]
    engine.submit(Call("h", ("h",), 500), 1.0)
    assert kinds(engine.decide(1.0)) == []


def test_a_call_moves_when_its_host_shows_that_the_model_does_not_fit() -> None:
    engine = Engine([Machine("little"), Machine("roomy", memory=48 * GIB)])
    for host in ("little", "roomy"):
        engine.installed(host, {"h": HUGE})
    hold(engine, "little", "h")
    engine.submit(Call("c", ("h",), 500), 0.0)
    assert sent(engine.decide(0.0)) == [("c", "little")]
    engine.resident("little", [Resident("h", HUGE.weights, on_gpu=7 * GIB)], 2.0)
    assert not engine.is_quiet
    made = engine.decide(2.0)
    assert kinds(made) == ["Recall", "Load"]
    assert sent(load(engine, made, 9.0)) == [("c", "roomy")]
    assert engine.is_quiet


def test_a_call_stays_where_its_model_does_not_fit_when_it_has_a_token_or_no_other_host() -> None:
    for hosts, token in ((("little",), False), ((), True)):
        engine = Engine([Machine("little"), Machine("roomy", memory=48 * GIB)])
        for host in ("little", "roomy"):
            engine.installed(host, {"h": HUGE})
        hold(engine, "little", "h")
        engine.submit(Call("c", ("h",), 500, hosts=hosts), 0.0)
        attempt = send(engine.decide(0.0)).attempt
        if token:
            engine.progress(attempt, 1.0)
        engine.resident("little", [Resident("h", HUGE.weights, on_gpu=7 * GIB)], 2.0)
        assert engine.decide(2.0) == []
        engine.submit(Call("next", ("h",), 500), 3.0)
        assert sent(engine.decide(3.0)) == []


def test_batch_calls_among_themselves_are_placed_as_interactive_ones_are() -> None:
    """An idle host does not keep a batch call waiting for a model that only other batch calls have used."""

    def made(*, urgent: bool, before: bool) -> list[str]:
        engine = fleet("one")
        hold(engine, "one", "a")
        engine.submit(Call("a1", ("a",), 500, urgent=before), 0.0)
        running = send(engine.decide(0.0))
        engine.finished(running.attempt, USAGE, 5.0)
        engine.submit(Call("b1", ("b",), 1000, urgent=urgent), 6.0)
        return kinds(engine.decide(6.0))

    assert made(urgent=True, before=True) == made(urgent=False, before=False) == ["Unload"]
    assert made(urgent=False, before=True) == []  # somebody may want the model for a chat
