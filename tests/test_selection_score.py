"""What speaks for a candidate, and what speaks against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmos.selection.candidate import Candidate, Task
from mmos.selection.score import obstacle, score_of, terms_of
from mmos.selection.table import match, promised, wanted

CODER = Candidate("coding", "coder:32b", "coding", frozenset({"CODE_SPECIALIZED"}), 16384, 32.0)
SMALL = Candidate("small", "small:3b", "small", frozenset({"FAST_INFERENCE"}), 8192, 3.0)
BUG = Task("bug_fixing", 6, 200)


def score(task: Task, candidate: Candidate, **weights: float) -> float:
    return score_of(task, terms_of(task, candidate), weights)


def test_the_table_names_what_a_task_needs() -> None:
    assert wanted(BUG) == ("CODE_SPECIALIZED", "REASONING")
    assert wanted(replace(BUG, complexity=9)) == ("CODE_SPECIALIZED", "REASONING", "HIGH_QUALITY")
    assert wanted(Task("simple_query", requires_speed=True, needs_vision=True)) == ("VISION", "FAST_INFERENCE")
    assert wanted(Task("poetry", tokens=50_000)) == ("LARGE_CONTEXT",), "a class of the configuration has no row"


def test_an_earlier_need_counts_twice_as_much_as_the_next() -> None:
    assert match(frozenset({"REASONING"}), ("CODE_SPECIALIZED", "REASONING")) == pytest.approx(1 / 3)
    assert match(frozenset(), ()) == 0.0


def test_the_name_of_a_role_promises_something() -> None:
    assert promised("coding", "") == {"CODE_SPECIALIZED"}
    assert promised("audit", "Looks for security holes.") == {"SECURITY_FOCUSED"}
    assert promised("cook", "Knows recipes.") == frozenset()


def test_each_term_counts_by_its_weight() -> None:
    only = {"quality": 0.0, "speed": 0.0, "fit": 0.0, "cost": 0.0}
    assert score(BUG, CODER, **{**only, "quality": 1.0}) > score(BUG, SMALL, **{**only, "quality": 1.0})
    assert score(BUG, CODER, **{**only, "speed": 1.0}) < score(BUG, SMALL, **{**only, "speed": 1.0})
    assert score(BUG, CODER, **{**only, "fit": 1.0}) > score(BUG, SMALL, **{**only, "fit": 1.0})
    assert score(BUG, CODER, **{**only, "cost": 1.0}) < score(BUG, SMALL, **{**only, "cost": 1.0})
    assert score(BUG, CODER, **only) == 0.0


def test_waiting_and_loading_make_it_slower_and_not_dearer() -> None:
    there, away = terms_of(BUG, replace(CODER, wait=0.0)), terms_of(BUG, replace(CODER, wait=90.0))
    assert there.speed > away.speed
    assert there.cost == away.cost
    assert away.seconds == pytest.approx(there.seconds + 90)


def test_measured_speeds_count() -> None:
    measured = terms_of(BUG, replace(CODER, writes=60.0, reads=1200.0))
    assert measured.gpu_seconds == pytest.approx(10 + 200 / 1200)


def test_speed_counts_more_for_an_urgent_task() -> None:
    lead = score(BUG, CODER) - score(BUG, SMALL)
    assert score(replace(BUG, requires_speed=True), CODER) - score(replace(BUG, requires_speed=True), SMALL) < lead


def test_the_size_counts_for_hard_tasks() -> None:
    easy, hard = replace(BUG, complexity=1), replace(BUG, complexity=10)
    large = replace(CODER, parameters=70.0)
    assert terms_of(hard, large).quality - terms_of(hard, replace(CODER, parameters=3.0)).quality > (
        terms_of(easy, large).quality - terms_of(easy, replace(CODER, parameters=3.0)).quality
    )


@pytest.mark.parametrize(
    ("task", "candidate", "why"),
    [
        (replace(BUG, tokens=20_000), CODER, "its window of 16,384 tokens cannot hold the task of about 20,000"),
        (replace(BUG, has_images=True), CODER, "it cannot see the images"),
        (BUG, replace(CODER, fault="a is down"), "a is down"),
        (BUG, replace(CODER, capabilities=frozenset({"EMBEDDING"})), "it makes vectors and no answers"),
        (BUG, replace(CODER, window=None), ""),
        (replace(BUG, has_images=True), replace(CODER, usual=True), ""),
        (replace(BUG, has_images=True), replace(CODER, capabilities=frozenset({"VISION"})), ""),
    ],
)
def test_some_cannot_work_on_a_task(task: Task, candidate: Candidate, why: str) -> None:
    assert obstacle(task, candidate) == why
