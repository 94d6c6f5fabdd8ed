"""What outcomes show: shares with their deviations, models that change, and evidence that fades."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.selection.evidence import Evidence, Outcome

OUTCOMES = st.lists(
    st.builds(Outcome, st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), st.floats(-1, 2), st.floats(0, 3)), max_size=60
)


def several(kind: str, key: str, good: int, bad: int) -> list[Outcome]:
    """In an order in which nothing changes."""
    mixed = [Outcome(kind, key, 1.0)] * good + [Outcome(kind, key, 0.0)] * bad
    Random(1).shuffle(mixed)
    return mixed


def test_outcomes_move_what_is_expected() -> None:
    evidence = Evidence.of(several("a", "x", 16, 4))
    belief = evidence.belief("a", "x", 0.5)
    assert belief.mean == pytest.approx(0.76, abs=0.03)
    assert belief.deviation < evidence.belief("b", "y", 0.5).deviation
    assert evidence.belief("b", "y", 0.6).mean == pytest.approx(0.6), "nothing is known of it"


def test_other_classes_count_a_little() -> None:
    evidence = Evidence.of(several("a", "x", 30, 0))
    elsewhere = evidence.belief("b", "x", 0.4)
    assert 0.5 < elsewhere.mean < evidence.belief("a", "x", 0.4).mean


def test_a_weight_is_how_much_an_outcome_says() -> None:
    weak, strong = (Evidence.of([Outcome("a", "x", 0.0, weight)]).belief("a", "x", 0.5).mean for weight in (0.3, 1.0))
    assert strong < weak < 0.5


def test_a_model_that_turns_bad_is_noticed_soon() -> None:
    evidence = Evidence.of(several("a", "x", 90, 10))
    for _ in range(10):
        evidence.learn(Outcome("a", "x", 0.0))
    assert evidence.belief("a", "x", 0.5).mean < 0.4, "by counting alone, it would take more than a hundred outcomes"


def test_a_model_that_turns_bad_in_one_class_is_doubted_in_all() -> None:
    classes = "abcdefg"
    evidence = Evidence.of(outcome for kind in classes for outcome in several(kind, "x", 18, 2))
    before = evidence.belief("g", "x", 0.5)
    for step in range(15):
        evidence.learn(Outcome(classes[step % 3], "x", 0.0))
    assert evidence.belief("g", "x", 0.5).outcomes < before.outcomes / 2
    assert evidence.belief("g", "x", 0.5).mean < before.mean


def test_a_model_that_becomes_good_is_noticed() -> None:
    evidence = Evidence.of(several("a", "x", 4, 40))
    for _ in range(12):
        evidence.learn(Outcome("a", "x", 1.0))
    assert evidence.belief("a", "x", 0.5).mean > 0.7


def test_luck_is_no_change() -> None:
    chance, evidence = Random(5), Evidence()
    for _ in range(400):
        evidence.learn(Outcome("a", "x", float(chance.random() < 0.7)))
    assert evidence.belief("a", "x", 0.5).outcomes > 50
    assert evidence.belief("a", "x", 0.5).mean == pytest.approx(0.7, abs=0.1)


@settings(max_examples=30)
@given(OUTCOMES)
def test_whatever_comes_shares_stay_shares(outcomes: list[Outcome]) -> None:
    evidence = Evidence.of(outcomes)
    for kind in "ab":
        for key in "xy":
            belief = evidence.belief(kind, key, 0.5)
            assert 0.0 <= belief.mean <= 1.0
            assert belief.deviation > 0.0
    assert all(-1e-9 <= share <= 1.0 + 1e-9 for _, _, share, _ in evidence.rows())


@settings(max_examples=30)
@given(OUTCOMES, st.integers(0, 60))
def test_outcomes_in_two_parts_teach_the_same(outcomes: list[Outcome], cut: int) -> None:
    parts = Evidence.of(outcomes[:cut])
    for outcome in outcomes[cut:]:
        parts.learn(outcome)
    assert parts == Evidence.of(outcomes)
