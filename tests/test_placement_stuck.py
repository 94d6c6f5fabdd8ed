"""A host that loads no more serves what it holds, gets no loads for a while, and has a model unloaded so that it goes on."""

from __future__ import annotations

from placing import GIB, HUGE, LARGE, SMALL, USAGE, hold

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Decision, Load, Look, Machine, Need, Recall, Resident, Send, Unload

MODELS = {"s": SMALL, "t": SMALL, "c": LARGE}


def engine(*hosts: str, models: dict[str, Need] | None = None, unloads: bool = True) -> Engine:
    """Hosts that have loaded before, so that their disks are known."""
    made = Engine([Machine(host, 1, 24 * GIB, unloads=unloads) for host in hosts])
    for host in hosts:
        made.installed(host, models or MODELS)
        hold(made, host, "s", "t")
        made.estimates.recall(host, None, {model: {"load": [10.0, 2]} for model in models or MODELS})
    return made


def until(made: Engine, now: float, end: float, *, holds: dict[str, list[str]]) -> tuple[float, list[Decision]]:
    """Let time pass; the hosts list what they hold when they are looked at. Ends at the first decision that is no look."""
    while now < end:
        decisions = made.decide(now)
        for look in [one for one in decisions if isinstance(one, Look) and one.host in holds]:
            made.resident(look.host, [Resident(model, MODELS[model].weights) for model in holds[look.host]], now)
            decisions += made.decide(now)
        if rest := [one for one in decisions if not isinstance(one, Look)]:
            return now, rest
        now = max(now + 0.1, min(end, made.wake(now) or end))
    return now, []


def stuck(made: Engine, *held: str) -> tuple[float, list[Decision]]:
    """One host whose load of `c` does not end, and what it holds."""
    made.submit(Call("1", ("c",), 500), 0.0)
    (load,) = made.decide(0.0)
    assert isinstance(load, Load)
    assert made.board(load, 0.0) is not None
    return until(made, 0.0, 200.0, holds={"a": [*held] or ["s", "t"]})


def test_a_load_that_does_not_end_is_noticed_and_an_idle_model_leaves() -> None:
    made = engine("a")
    now, decisions = stuck(made)
    assert 60.0 <= now < 70.0
    assert decisions == [Unload("a", "s", rescue=True)]


def test_the_host_serves_what_it_holds() -> None:
    made = engine("a")
    now, _ = stuck(made)
    made.submit(Call("2", ("t",), 500), now)
    assert [decision.host for decision in made.decide(now) if isinstance(decision, Send)] == ["a"]


def test_it_is_well_when_the_load_has_ended() -> None:
    made = engine("a")
    now, decisions = stuck(made)
    made.upkeep.unloaded("a", "s", now)
    attempt = next(iter(made._ledger.flights))
    made.progress(attempt, now + 5)
    assert made._ledger.hosts["a"].breaker.stuck is None
    assert made.finished(attempt, USAGE, now + 6)
    assert decisions


def test_one_model_after_the_other_leaves() -> None:
    made = engine("a")
    now, _ = stuck(made)
    made.upkeep.unloaded("a", "s", now)
    later, decisions = until(made, now, now + 200, holds={"a": ["t"]})
    assert decisions == [Unload("a", "t", rescue=True)]
    assert 15 < later - now < 60


def test_a_busy_model_leaves_only_when_its_calls_have_ended() -> None:
    made = engine("a", models={"t": SMALL, "c": LARGE})
    made.submit(Call("busy", ("t",), 500), 0.0)
    (send,) = [decision for decision in made.decide(0.0) if isinstance(decision, Send)]
    now, decisions = stuck(made, "t")
    assert decisions == []
    made.submit(Call("late", ("t",), 500), now)
    assert made.decide(now) == [], "no more calls for the model that has to leave"
    made.finished(send.attempt, USAGE, now)
    assert made.decide(now) == [Unload("a", "t", rescue=True)]


def test_a_host_whose_models_mmos_may_not_unload_keeps_them() -> None:
    made = engine("a", unloads=False)
    _, decisions = stuck(made)
    assert decisions == []
    assert made._ledger.hosts["a"].breaker.stuck is not None


def test_the_call_goes_to_another_host() -> None:
    made = engine("a", "b")
    made.submit(Call("1", ("c",), 500), 0.0)
    (load,) = made.decide(0.0)
    assert isinstance(load, Load)
    made.board(load, 0.0)
    ill, well = (load.host, "b" if load.host == "a" else "a")
    now, decisions = until(made, 0.0, 200.0, holds={"a": ["s", "t"], "b": ["s", "t"]})
    assert [type(one).__name__ for one in decisions] == ["Recall", "Unload", "Load"]
    assert isinstance(decisions[0], Recall)
    assert decisions[0].host == ill
    assert isinstance(decisions[2], Load)
    assert decisions[2].host == well
    assert 60 <= now < 70


def test_a_host_that_lists_nothing_is_silent_and_not_stuck() -> None:
    made = engine("a", "b")
    made.submit(Call("1", ("c",), 500), 0.0)
    (load,) = made.decide(0.0)
    assert isinstance(load, Load)
    made.board(load, 0.0)
    _, decisions = until(made, 0.0, 200.0, holds={})
    assert isinstance(decisions[0], Recall)
    breaker = made._ledger.hosts[load.host].breaker
    assert breaker.stuck is None
    assert breaker.failures == 1


def test_the_pause_doubles_and_one_call_tries_again() -> None:
    made = engine("a", unloads=False)
    now, _ = stuck(made)
    breaker = made._ledger.hosts["a"].breaker
    made.withdraw("1", now)
    pauses = []
    for number in range(3):
        assert breaker.stuck is not None
        pauses.append(round(breaker.stuck.until - now))
        for call in range(3):
            made.submit(Call(f"{number}.{call}", ("c",), 500), now)
        now, decisions = until(made, now, now + 500, holds={"a": ["s", "t"]})
        (load,) = decisions
        assert isinstance(load, Load)
        assert made.board(load, now) is not None
        assert made.decide(now) == [], "the others wait"
        now, _ = until(made, now, now + 60, holds={"a": ["s", "t"]})
        made.resident("a", [], now)
        for call in range(3):
            made.withdraw(f"{number}.{call}", now)
    assert pauses[1:] == [120, 240]


def test_a_model_that_does_not_leave_closes_the_host_for_loads_only() -> None:
    made = engine("a", models={"h": HUGE, "i": HUGE})
    hold(made, "a", "h")
    made.submit(Call("1", ("i",), 500), 0.0)
    assert Unload("a", "h") in made.decide(0.0)
    made.stuck.keeps("a", "h", 30.0)
    breaker = made._ledger.hosts["a"].breaker
    assert (breaker.failures, breaker.loads(40.0), breaker.loads(95.0)) == (0, False, True)
    made.submit(Call("2", ("h",), 500), 31.0)
    assert [decision.call.id for decision in made.decide(31.0) if isinstance(decision, Send)] == ["2"]
