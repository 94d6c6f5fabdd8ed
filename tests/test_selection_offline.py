"""What another way of choosing would have been worth, by the choices of the journal."""

from __future__ import annotations

from random import Random

import pytest

from mmos.choice_events import TaskRouted
from mmos.events import Entry, RunFinished, RunRated, RunStarted
from mmos.selection.offline import Logged, always, as_logged, logged, value_of

GOOD = {"x": 0.9, "y": 0.5}


def log(count: int = 2000) -> list[Logged]:
    """Choices of which nine in ten are `y`, though `x` is better."""
    chance, found = Random(3), []
    for _ in range(count):
        key = chance.choices(["x", "y"], [0.1, 0.9])[0]
        found.append(Logged("a", key, {"x": 0.1, "y": 0.9}[key], float(chance.random() < GOOD[key]), ("x", "y")))
    return found


def test_a_way_that_was_seldom_taken_is_valued_rightly() -> None:
    value = value_of(log(), always("x"))
    assert value.mean == pytest.approx(0.9, abs=3 * value.error)
    assert value.error < 0.06
    assert value_of(log(), always("y")).mean == pytest.approx(0.5, abs=0.05)
    mixed = value_of(log(), lambda _choice: {"x": 0.5, "y": 0.5})
    assert mixed.mean == pytest.approx(0.7, abs=0.05)


def test_what_was_chosen_is_worth_what_it_brought() -> None:
    choices = log(200)
    assert value_of(choices, as_logged).mean == pytest.approx(sum(one.reward for one in choices) / 200, abs=0.1)


def test_without_choices_nothing_can_be_said() -> None:
    assert value_of([], always("x")) == (0.0, 0.0, 0)
    assert value_of(log(1), always("z")).mean == 0.5, "nobody has seen z"


def test_choices_come_from_the_journal() -> None:
    row = {"key": "x", "chance": 0.8}
    routed = TaskRouted("a", key="x", propensity=0.8, candidates=(row, {"key": "y", "out": "down"}), by="learning")
    events = [RunStarted("How?", "p"), routed, RunFinished("answered", "So."), RunRated(False)]
    (found,) = logged(Entry("r", "t", 0.0, event) for event in events)
    assert (found.kind, found.key, found.propensity, found.keys) == ("a", "x", 0.8, ("x",))
    assert found.reward == pytest.approx(0.3 / 1.3)
