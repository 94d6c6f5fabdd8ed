"""Conditions that calculate: what they are worth, what has no result, and that no condition does anything else."""

from __future__ import annotations

import ast
import math
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.config.facts import FACTS, TASK_CLASSES
from mmos.config.holding import impossible
from mmos.config.rules import Rule, RuleError, compile_rule

FACTS_NOW = {"task": {"complexity": 8, "text_length": 120, "confidence": 0.5}, "host": {"vram_gb": 24.0}, "run": {"turns": 0}}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("task.complexity + 1 > 8", True),
        ("task.complexity - -1 == 9", True),
        ("task.complexity * 2 > 15 + 1", False),
        ("task.complexity / 3 < 2.7", True),
        ("task.complexity // 3 == 2 and task.complexity % 3 == 2", True),
        ("-task.complexity < -7", True),
        ("+task.complexity == 8", True),
        ("2 * (task.complexity + 1) - 3 == 15", True),
        ("task.text_length / task.complexity == 15", True),
        ("10 < task.complexity + run.turns + 3 < 12", True),
        ("task.complexity - 1 in [7, 9]", True),
        ("task.complexity in [2 * 4, 1]", True),
        ("task.complexity > 2 + 3 * 2", False),
        # What has no result compares false, and `not` turns that round as with an absent fact.
        ("task.complexity / run.turns > 0", False),
        ("task.complexity % run.turns != 5", False),
        ("task.complexity // run.turns == 0 or task.complexity > 7", True),
        ("not (task.complexity / run.turns > 0)", True),
        ("task.complexity + run.calls > 1", False),
        ("task.complexity - run.calls != 1", False),
        ("task.complexity * 99999999999999 * 99999999999999 > 1", False),
    ],
)
def test_conditions_that_calculate(condition: str, holds: bool) -> None:
    assert compile_rule(condition).evaluate(FACTS_NOW) is holds


@pytest.mark.parametrize("value", ["8", True, None, [8], math.inf, math.nan, 10**400])
def test_a_fact_that_is_no_usual_number_has_no_result(value: object) -> None:
    facts = {"task": {"complexity": value}}
    assert compile_rule("task.complexity * 2 != 3").evaluate(facts) is False
    assert compile_rule("-task.complexity < 99").evaluate(facts) is False


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("task.complexity + 1", "column 1: compare the result with a number, like task.complexity + 1 > 1"),
        ("task.complexity ** 2 > 4", "column 1: only + - * / // % can calculate"),
        ("task.complexity / (2 * 0) > 1", "column 20: nothing can be divided by 0"),
        ("3 < task.complexity % 0", "column 23: nothing can be divided by 0"),
        ("task.type + 1 > 3", "column 1: only numbers can be calculated with, and task.type is none"),
        ("'ä' == task.type or 3 > 'a' * 3", "column 25: only numbers can be calculated with, and 'a' is none"),
        ("task.complexity * 1e16 > 1", "column 19: calculate with numbers from -1e+15 to 1e+15"),
        ("99999999999999 * 99999999999999 > task.complexity", "column 1: the result is not a number from -1e+15 to 1e+15"),
        ("task.complexity + 1 > 'high'", "column 23: task.complexity + 1 is a number, but this is not"),
    ],
)
def test_faults(condition: str, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(condition)
    assert str(caught.value) == message


def test_written_calculations_count_as_written_values() -> None:
    assert impossible(compile_rule("task.complexity > 2 * 5 + 1")) == "this can never be true: task.complexity is from 1 to 10"
    assert impossible(compile_rule("task.complexity - run.turns > 99")) == ""


# ---------------------------------------------------------------- no condition does anything but compare


WORDS = [*FACTS, "task", "1", "0", "-2.5", "1e308", "999999999999999", "'a'", "'x' * 3", "true", "null", "[]", "['a', 1]", "()"]
ODD = [
    "__import__", "open('/etc/passwd')", "().__class__", "task.__class__", "f'{task.type}'", "lambda: 1", "[1 for x in task.languages]",
    "(x := 1)", "{1: 2}", "task['type']", "task.type.upper()", "*task.languages", "...", "1j", "b'a'", "exec('1')", "9 ** 9 ** 9",
]  # fmt: skip
SIGNS = ["+", "-", "*", "/", "//", "%", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
NUMBERS = [name for name, kind in FACTS.items() if kind == "number"] + ["1", "0", "2.5", "-3", "99999999"]


def _trees(leaves: list[str], signs: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(leaves),
        lambda part: (
            st.builds("({} {} {})".format, part, st.sampled_from(signs), part) | st.builds("(not {})".format, part) | part.map("-{}".format)
        ),
        max_leaves=12,
    )


CALCULATIONS = _trees(NUMBERS, ["+", "-", "*", "/", "//", "%"])
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.text(max_size=2), max_size=2)
)
ALLOWED = (
    ast.BoolOp, ast.UnaryOp, ast.Compare, ast.BinOp, ast.Attribute, ast.Name, ast.Constant, ast.List, ast.Tuple, ast.boolop, ast.unaryop,
    ast.cmpop, ast.operator, ast.Load,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_trees(WORDS + ODD, SIGNS) | st.builds("{} > {}".format, CALCULATIONS, CALCULATIONS), st.data())
def test_what_compiles_only_compares_known_facts_and_ends_at_once(text: str, data: st.DataObject) -> None:
    rule = _compiled(text)
    if rule is None:
        return
    tree = ast.parse(text.strip(), mode="eval").body
    assert all(isinstance(node, ALLOWED) and not isinstance(node, ast.Pow) for node in ast.walk(tree))
    assert {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)} == rule.names <= FACTS.keys()
    facts: dict[str, dict[str, object]] = {}
    for name in rule.names:
        subject, _, attribute = name.partition(".")
        facts.setdefault(subject, {})[attribute] = data.draw(VALUES)
    begun = thread_time()
    assert rule.evaluate(facts) in (True, False)
    assert thread_time() - begun < 0.05


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="task.complxiy+-*/%()[]'\" 019<>=!&|\\\n\t{}:,@~^", max_size=60))
def test_any_text_is_a_rule_or_a_rule_error(text: str) -> None:
    rule = _compiled(text)
    assert rule is None or rule.evaluate({}) in (True, False)


def _compiled(text: str) -> Rule | None:
    try:
        return compile_rule(text, TASK_CLASSES)
    except RuleError:
        return None


def test_the_largest_condition_is_quick() -> None:
    rule = compile_rule("task.complexity" + " * 99" * 40 + " > 1")
    begun = thread_time()
    for _ in range(1000):
        rule.evaluate(FACTS_NOW)
    assert thread_time() - begun < 1
