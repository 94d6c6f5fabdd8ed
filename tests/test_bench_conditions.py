"""The benchmark of conditions."""

from __future__ import annotations

from bench_conditions import CONDITIONS, LIMIT, rate, tasks

from mmos.config.facts import FACTS
from mmos.config.rules import compile_rule


def test_the_tasks_have_facts_that_rules_know_and_every_condition_is_true_for_one_and_false_for_another() -> None:
    assert {f"{subject}.{name}" for facts in tasks() for subject, group in facts.items() for name in group} <= FACTS.keys()
    found = [{compile_rule(condition).evaluate(facts) for facts in tasks()} for condition in CONDITIONS]
    assert sum(each == {True, False} for each in found) >= len(CONDITIONS) - 3


def test_conditions_are_quick() -> None:
    assert rate([compile_rule(condition) for condition in CONDITIONS], tasks(), 0.1) > LIMIT
