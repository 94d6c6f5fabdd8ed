"""Who is chosen, by the table, by the score and by outcomes, and within which bounds chance decides."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from mmos.selection.candidate import Candidate, Task
from mmos.selection.evidence import Belief, Evidence, Outcome
from mmos.selection.selector import MOST_TRIED, Selector, chances

ARBITER = Candidate("arbiter", "general:14b", "arbiter", frozenset({"FAST_INFERENCE"}), 32768, 14.0, usual=True)
CODER = Candidate("coding", "coder:32b", "coding", frozenset({"CODE_SPECIALIZED"}), 16384, 32.0)
GUARD = Candidate("guard", "guard:8b", "", frozenset({"SECURITY_FOCUSED"}), 8192, 8.0)
ALL = (ARBITER, CODER, GUARD)
BUG = Task("bug_fixing", 5, 200)
CHANCE = Random(1)


def chosen(selector: Selector, task: Task = BUG, candidates: tuple[Candidate, ...] = ALL, seed: int = 1) -> str:
    row = selector.choose(task, candidates, Random(seed)).chosen
    assert row is not None
    return row.candidate.name


@pytest.mark.parametrize(
    ("kind", "name"), [("bug_fixing", "coding"), ("security_review", "guard"), ("simple_query", "arbiter"), ("poetry", "arbiter")]
)
def test_the_table_chooses_by_capabilities(kind: str, name: str) -> None:
    assert chosen(Selector.of("rules"), Task(kind)) == name


@pytest.mark.parametrize("strategy", ["rules", "score", "learning"])
def test_the_order_of_the_candidates_does_not_matter(strategy: str) -> None:
    for seed in range(5):
        assert chosen(Selector.of(strategy), seed=seed) == chosen(Selector.of(strategy), candidates=ALL[::-1], seed=seed)  # type: ignore[arg-type]


def test_the_weights_decide_the_score() -> None:
    assert chosen(Selector.of("score", {"quality": 10.0})) == "coding"
    assert chosen(Selector.of("score", {"quality": 0.0, "fit": 0.0, "speed": 10.0})) == "guard"


def test_who_cannot_be_served_is_missed_and_the_next_one_answers() -> None:
    choice = Selector.of("rules").choose(BUG, (ARBITER, replace(CODER, fault="ollama02 is down"), GUARD), CHANCE)
    assert choice.chosen is not None
    assert choice.missed is not None
    assert (choice.chosen.candidate.name, choice.missed.candidate.name) == ("arbiter", "coding")
    assert [row.out for row in choice.rows if row.candidate.name == "coding"] == ["ollama02 is down"]


def test_nobody_can_be_chosen() -> None:
    choice = Selector.of("learning").choose(replace(BUG, tokens=10**6), ALL, CHANCE)
    assert (choice.chosen, choice.why, choice.propensity) == (None, ("nobody can work on it now",), 1.0)


def test_outcomes_decide_when_there_are_enough() -> None:
    good = [Outcome("bug_fixing", GUARD.key, 1.0)] * 20
    bad = [Outcome("bug_fixing", one.key, 0.0) for one in (CODER, ARBITER) for _ in range(20)]
    selector = Selector.of("learning", outcomes=[*good, *bad])
    assert {chosen(selector, seed=seed) for seed in range(20)} == {"guard"}
    assert chosen(selector, Task("documentation"), seed=3) in ("arbiter", "coding", "guard")


def test_who_is_known_to_be_far_worse_is_not_tried() -> None:
    shares = chances([Belief(0.9, 0.05, 30), Belief(0.1, 0.1, 10), Belief(0.5, 0.25, 0)], Random(1))
    assert shares[1] == 0.0
    assert 0.0 < shares[2] <= MOST_TRIED, "one that is not known may be tried"
    assert sum(shares) == pytest.approx(1.0)


def test_trying_has_a_limit_and_becomes_rare() -> None:
    new = chances([Belief(0.5, 0.25, 0)] * 5, Random(1))
    assert sum(new) - max(new) <= MOST_TRIED + 1e-9
    old = chances([Belief(0.8, 0.05, 200), Belief(0.75, 0.05, 200)], Random(1))
    assert min(old) <= 0.1
    far = chances([Belief(0.8, 0.03, 200), Belief(0.5, 0.05, 100)], Random(1))
    assert min(far) == 0.0


def test_the_propensity_is_how_often_it_is_chosen() -> None:
    selector = Selector.of("learning", outcomes=[Outcome("bug_fixing", CODER.key, 1.0)] * 3)
    choices = [selector.choose(BUG, ALL, Random(seed)) for seed in range(200)]
    for candidate in ALL:
        mean = sum(row.chance for choice in choices for row in choice.rows if row.candidate == candidate) / len(choices)
        share = sum(choice.chosen is not None and choice.chosen.candidate == candidate for choice in choices) / len(choices)
        assert share == pytest.approx(mean, abs=0.08)
    assert all(choice.propensity == choice.rows[0].chance > 0 for choice in choices)


def test_the_same_chance_makes_the_same_choice() -> None:
    one, other = (Selector("learning", evidence=Evidence()).choose(BUG, ALL, Random(9)) for _ in range(2))
    assert one == other
