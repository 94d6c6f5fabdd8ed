"""The table of load profiles: which window calls get, and with which one a model is loaded."""

from __future__ import annotations

import pytest
from placing import GIB, USAGE, kinds, load, send

from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Load, Machine, Need, Resident

TOKEN = 128 * 1024
MODEL = Need(4 * GIB, TOKEN, GIB // 2, 131072)


def engine(memory: float | None = 24 * GIB, **models: Need) -> Engine:
    made = Engine([Machine("one", 1, memory)])
    made.installed("one", models or {"m": MODEL})
    return made


def loaded(on: Engine, model: str, window: int, *, grows: bool, now: float = 0.0) -> int:
    """The window with which a model is loaded for a call that needs this one."""
    settled = on.profiles.settle("one", model, window, grows=grows)
    on.submit(Call(f"{model}{now}", (model,), 500, window=settled), now)
    made = on.decide(now)
    while "Load" not in kinds(made):
        made = load(on, made, now)
    (ordered,) = [decision for decision in made if isinstance(decision, Load)]
    on.upkeep.loaded("one", model, 5.0, now + 5.0)
    on.finished(send(on.decide(now + 5.0)).attempt, USAGE, now + 6.0)
    return ordered.window


@pytest.mark.parametrize(("memory", "window"), [(24.0, 32768), (11.0, 32768), (8.0, 16384), (6.0, 4096), (None, 4096)])
def test_a_growing_conversation_gets_what_the_memory_holds(memory: float | None, window: int) -> None:
    assert loaded(engine(memory and memory * GIB), "m", 4096, grows=True) == window


@pytest.mark.parametrize(("memory", "windows"), [(None, [4096, 32768]), (7.0, [8192, 16384])])
def test_a_window_that_must_grow_grows_once(memory: float | None, windows: list[int]) -> None:
    on = engine(memory and memory * GIB)
    assert [loaded(on, "m", need, grows=True, now=20.0 * number) for number, need in enumerate((4096, 2 * windows[0]))] == windows


def test_a_named_window_is_taken_as_it_is() -> None:
    assert loaded(engine(), "m", 5000, grows=False) == 5000


def test_the_window_leaves_room_for_a_model_that_is_asked_for_too() -> None:
    on = engine(16 * GIB, m=MODEL, n=MODEL)
    on.profiles.reserve("one", "n", 4096)
    assert loaded(on, "m", 4096, grows=True) == 32768
    assert loaded(on, "n", 4096, grows=True, now=10.0) == 16384
    assert on.profiles.is_there("one", "m")


def test_calls_that_one_copy_can_serve_have_one_window() -> None:
    on = engine()
    assert [on.profiles.settle("one", "m", window, grows=False) for window in (4096, 8192, 4096)] == [4096, 8192, 8192]
    on.resident("one", [Resident("m", 5 * GIB, 6000)], 0.0)
    assert on.profiles.settle("one", "m", 4096, grows=False) == 6000
    assert on.profiles.settle("one", "m", 8192, grows=False) == 8192
    assert (on.profiles.sent("one", "m", 4096), on.profiles.sent("one", "m", 8192)) == (6000, 8192)


def test_a_window_beyond_the_model_is_one_that_the_host_cuts() -> None:
    on = engine(m=Need(4 * GIB, TOKEN, 0.0, 8192))
    assert on.profiles.settle("one", "m", 16384, grows=False) == 8192
    assert loaded(on, "m", 16384, grows=False) == 8192


def test_a_host_that_cuts_a_window_is_not_asked_for_it_again() -> None:
    on = engine(m=Need(4 * GIB, TOKEN))
    assert loaded(on, "m", 16384, grows=False) == 16384
    on.resident("one", [Resident("m", 5 * GIB, 8192)], 10.0)
    on.submit(Call("next", ("m",), 500, window=16384), 11.0)
    assert send(on.decide(11.0)).window == 8192


def test_a_copy_that_a_load_replaces_does_not_end_the_load() -> None:
    on = engine()
    on.resident("one", [Resident("m", 5 * GIB, 4096)], 0.0)
    on.submit(Call("large", ("m",), 500, window=8192), 1.0)
    assert kinds(load(on, on.decide(1.0), 1.0)) == ["Load"]
    on.resident("one", [Resident("m", 5 * GIB, 4096)], 2.0)
    assert on.decide(2.0) == []
    assert on.profiles.sent("one", "m", 8192) == 8192


def test_what_the_host_shows_of_a_size_counts_more_than_what_was_computed() -> None:
    """It takes less than computed, so the second model fits beside it."""
    on = engine(12 * GIB, m=Need(4 * GIB, TOKEN, 2 * GIB), n=Need(5 * GIB))
    on.resident("one", [Resident("m", 4.6 * GIB, 4096)], 0.0)
    on.submit(Call("n", ("n",), 500), 1.0)
    assert kinds(on.decide(1.0)) == ["Load"]


def test_the_host_leaves_the_engines_own_memory_out_when_it_decides_what_fits() -> None:
    on = engine(12 * GIB, m=Need(4 * GIB, 0.0, GIB), n=Need(5.5 * GIB, 0.0, GIB))
    on.resident("one", [Resident("m", 5 * GIB)], 0.0)
    on.submit(Call("n", ("n",), 500), 1.0)
    assert kinds(on.decide(1.0)) == ["Load"]
