"""The facts of a task for the rules, and which rule a task meets."""

from __future__ import annotations

import pytest

from mmos.choice.classifier import classify
from mmos.choice.facts import Rules, facts_of
from mmos.config.facts import FACTS
from mmos.config.rules import RuleError


def test_every_fact_is_one_that_rules_know() -> None:
    facts = facts_of("Fix the crash.", classify("Fix the crash."))
    assert {f"task.{name}" for name in facts["task"]} <= FACTS.keys()


def test_a_guess_is_no_fact() -> None:
    found = classify("asdf qwer zxcv")
    assert found.type is not None
    assert facts_of("asdf qwer zxcv", found)["task"]["type"] is None


def test_the_first_rule_that_holds_ends_the_search() -> None:
    text = "Fix the crash in the importer."
    rules = Rules.of([("task.complexity > 9", "reasoning"), ("task.type == 'debugging'", "coding"), ("task.complexity > 0", "analysis")])
    tried = rules.tried(facts_of(text, classify(text)))
    assert [(one.number, one.holds, one.specialist) for one in tried] == [(1, False, "reasoning"), (2, True, "coding")]
    assert tried[1].facts == {"task.type": "bug_fixing"}


def test_what_is_only_known_in_a_run_is_not_known() -> None:
    tried = Rules.of([("response.unclear_tool_calls or host.queue > 3", "interpreter")]).tried(facts_of("Hi", classify("Hi")))
    assert [(one.holds, one.facts) for one in tried] == [(False, {"host.queue": None, "response.unclear_tool_calls": None})]


def test_a_wrong_condition_is_an_error() -> None:
    with pytest.raises(RuleError):
        Rules.of([("task.colour == 1", "coding")])
