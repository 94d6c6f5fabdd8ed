"""Rules that never count, because of an earlier one or of the classes that exist."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.config.facts import TASK_CLASSES
from mmos.config.holding import implies, is_always_true
from mmos.config.load import from_text
from mmos.config.rules import compile_rule
from mmos.errors import ConfigError

HEAD = """orchestration:
  arbiter: {model: a}
  specialists: {coding: {model: b}}
  routing:
"""


def notes(*conditions: str) -> list[str]:
    """The warnings of a configuration with these rules about rules that never count."""
    rules = "".join(f'      - {{condition: "{condition}", specialist: coding}}\n' for condition in conditions)
    found = from_text(f"{HEAD}    rules:\n{rules}", "o.yaml", {}).warnings
    return [f"{one.where} {one.message}" for one in found if "never counts" in one.message]


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        ("task.complexity > 3", "task.complexity > 7", "is true whenever this one is"),
        ("task.complexity >= 5", "task.complexity > 4.5 and task.complexity in [5, 6]", "is true whenever this one is"),
        ("task.complexity > 3 or task.requires_speed", "task.requires_speed", "is true whenever this one is"),
        ("task.type in ['bug_fixing', 'refactoring']", "task.type == 'DEBUGGING' and task.complexity > 8", "is true whenever this one is"),
        ("task.type != 'documentation'", "task.type == 'refactoring'", "is true whenever this one is"),
        ("'python' in task.languages", "'python' in task.languages and task.complexity > 5", "is true whenever this one is"),
        (
            "task.complexity * 2 > task.context_tokens",
            "task.complexity*2 > task.context_tokens and task.complexity > 5",
            "is true whenever this one is",
        ),
        ("task.complexity  > 3", "task.complexity > 3", "has the same condition"),
        ("true", "task.complexity > 3", "is always true"),
        ("task.complexity > 0 or not task.complexity > 0", "task.requires_speed", "is always true"),
        ("run.failures > 0", "run.failures  > 0", "has the same condition"),
        ("run.turns > 3", "not run.turns <= 3 and run.turns > 3", "is true exactly when this one is"),
    ],
)
def test_a_rule_below_one_that_is_true_whenever_it_is(earlier: str, later: str, reason: str) -> None:
    expected = f"o.yaml:7 this rule never counts: rule 1 (o.yaml:6) {reason}, and the first true rule counts"
    assert notes(earlier, later) == [expected]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("task.complexity > 7", "task.complexity > 3"),
        ("task.complexity > 3", "task.complexity >= 3"),
        ("task.type == 'bug_fixing'", "task.type != 'refactoring'"),
        ("task.complexity > 0", "task.requires_speed"),  # a fact may be absent
        ("'a' in task.text", "'ab' in task.text and task.complexity > 3"),
        ("task.complexity > 3", "task.complexity > 5 and response.empty"),  # other moments: the response comes later
        ("true", "response.empty"),
        ("run.phase in ['plan', 'work']", "run.phase == 'plan'"),  # the second becomes true when the phase goes from work to plan
        ("run.failures > 0", "run.failures > 1"),  # later
        ("response.unclear_tool_calls", "response.unclear_tool_calls and run.turns > 3"),  # the first names the interpreter
        ("task.complexity + 1 > 5", "task.complexity > 8"),  # true, but it does not follow from written values
        ("not task.requires_speed", "task.complexity > 3"),
    ],
)
def test_a_rule_that_may_count(earlier: str, later: str) -> None:
    assert notes(earlier, later) == []


def test_one_warning_for_each_rule() -> None:
    found = notes("task.complexity > 2", "task.complexity > 3", "task.complexity > 4")
    assert [one.split()[0] for one in found] == ["o.yaml:7", "o.yaml:8"]
    assert all("rule 1" in one for one in found)


def test_many_rules_are_compared_in_time() -> None:
    rules = [f"task.complexity > {number % 9} and task.context_tokens > {number} and run.turns != {number}" for number in range(200)]
    rules += [" or ".join(f"task.{name} > {number}" for name in ("complexity", "confidence", "text_length")) for number in range(100)]
    assert isinstance(notes(*rules), list)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("task.type == 'code_genration'", "'code_genration' is not a class of tasks; did you mean 'code_generation'?"),
        ("task.complexity > 70", "this can never be true: task.complexity is from 1 to 10"),
    ],
)
def test_what_can_never_be_true_is_an_error(condition: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        notes(condition)
    assert message in str(caught.value)


def test_a_condition_from_the_environment_is_not_shown() -> None:
    rules = '    rules: [{condition: "${SECRET}", specialist: coding}]\n'
    with pytest.raises(ConfigError) as caught:
        from_text(HEAD + rules, "o.yaml", {"SECRET": "task.type == 'hidden'"})
    assert "hidden" not in str(caught.value)
    assert "a value from ${SECRET} (not shown)" in str(caught.value)


PARTS = st.sampled_from(
    [f"task.complexity {sign} {value}" for sign in ("<", "<=", ">", "==", "!=") for value in (0, 3, 5, 7.5)]
    + [f"task.type {sign} '{name}'" for sign in ("==", "!=") for name in TASK_CLASSES[:2]]
    + ["task.requires_speed", "task.type == null", "'a' in task.text", "task.complexity + 1 > 4"]
)
CONDITIONS = st.recursive(
    PARTS,
    lambda part: st.builds("({} {} {})".format, part, st.sampled_from(["and", "or"]), part) | part.map("(not {})".format),
    max_leaves=5,
)
TASKS = st.fixed_dictionaries(
    {},
    optional={
        "complexity": st.integers(1, 10),
        "type": st.none() | st.sampled_from(TASK_CLASSES),
        "requires_speed": st.booleans(),
        "text": st.sampled_from(["", "a", "b"]),
    },
)


@settings(max_examples=300, deadline=None)
@given(CONDITIONS, CONDITIONS, st.lists(TASKS, min_size=20, max_size=20))
def test_there_is_no_false_alarm(one: str, other: str, tasks: list[dict[str, object]]) -> None:
    earlier, later = compile_rule(one), compile_rule(other)
    follows, always = implies(later, earlier), is_always_true(earlier)
    for task in tasks:
        facts = {"task": task}
        assert not follows or not later.evaluate(facts) or earlier.evaluate(facts)
        assert not always or earlier.evaluate(facts)


# ---------------------------------------------------------------- classes of the configuration

CLASSES = "    classes: {haiku: {examples: [a haiku, one haiku, my haiku]}}\n"


def test_rules_may_name_own_classes() -> None:
    rules = "    rules: [{condition: \"task.type in ['HAIKU', 'bug_fixing']\", specialist: coding}]\n"
    assert from_text(HEAD + CLASSES + rules, "o.yaml", {}).warnings == ()
    with pytest.raises(ConfigError) as caught:
        from_text(HEAD + CLASSES + rules.replace("HAIKU", "haikus"), "o.yaml", {})
    assert "'haikus' is not a class of tasks; did you mean 'haiku'?" in str(caught.value)


def test_own_classes_count_when_rules_are_compared() -> None:
    rules = "    rules:\n"
    rules += f'      - {{condition: "task.type in {list(TASK_CLASSES)}", specialist: coding}}\n'
    rules += '      - {condition: "task.type != null", specialist: coding}\n'
    rules += "      - {condition: \"task.type in ['haiku', 'bug_fixing']\", specialist: coding}\n"
    messages = [one.message for one in from_text(HEAD + CLASSES + rules, "o.yaml", {}).warnings]
    assert messages == ["this rule never counts: rule 2 (o.yaml:8) is true whenever this one is, and the first true rule counts"]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("{bug_fixing: {examples: [a]}}", "orchestration.routing.classes.bug_fixing: 'bug_fixing' is a class of MMOS; choose another name"),
        ("{debugging: {examples: [a]}}", "'debugging' is a class of MMOS and means bug_fixing; choose another name"),
        ("{haiku: {examples: []}}", "orchestration.routing.classes.haiku.examples: found a list, allowed: at least one entry"),
        ("{haiku: {}}", "orchestration.routing.classes.haiku.examples: 'examples' is missing; it is required here"),
        ("{Haiku: {examples: [a]}}", "'Haiku' cannot be a name here, allowed: a name of at most 40 small letters"),
        (
            "{haiku: {examples: [a], base_complexity: 11}}",
            "base_complexity: found 11 (a whole number), allowed: a whole number from 1 to 10",
        ),
    ],
)
def test_wrong_classes(classes: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_text(f"{HEAD}    classes: {classes}\n", "o.yaml", {})
    assert message in str(caught.value)
