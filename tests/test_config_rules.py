"""The language of routing rules: what it says, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.config.facts import FACTS, RANGES, TASK_CLASSES
from mmos.config.holding import impossible
from mmos.config.rules import Rule, RuleError, compile_rule

CLASSES = "Classes: code_generation, bug_fixing, refactoring, documentation, code_analysis, simple_query, security_review"
FULL = {
    "task": {
        "type": "code_generation",
        "complexity": 8,
        "requires_speed": True,
        "languages": ["python", "web"],
        "needs": [],
        "text_length": 120,
        "confidence": 0.5,
    },
    "response": {"unclear_tool_calls": False, "quality": 0.9, "failed": False},
}


@pytest.mark.parametrize(
    ("condition", "holds", "holds_without_facts"),
    [
        ("task.complexity > 7", True, False),
        ("task.complexity >= 8 and task.complexity <= 8", True, False),
        ("3 < task.complexity < 8", False, False),
        ("task.type == 'code_generation'", True, False),
        ("task.type != 'debugging'", True, False),
        ("task.requires_speed", True, False),
        ("task.requires_speed == true", True, False),
        ("not task.requires_speed", False, True),
        ("not (task.requires_speed or response.failed)", False, True),
        ("response.unclear_tool_calls", False, False),
        ("'python' in task.languages", True, False),
        ("'java' not in task.languages", True, False),
        ("task.type in ['debugging', 'code_generation']", True, False),
        ("'code' in task.type", True, False),
        ("task.needs", False, False),
        ("task.confidence < .6 or response.quality > -1", True, False),
        ("task.type == null", False, True),
        ("null != task.type", True, False),
        ("task.complexity != 7", True, False),
        ("task.complexity != response.quality", True, False),
        ("task.text_length in task.complexity", False, False),
        ("true", True, True),
        ("false or null", False, False),
        ("  task.complexity > 7\n  and task.requires_speed\n", True, False),
        ("run.phase == 'no && such = !thing'", False, False),
        ("task.type == 'CODE_Generation'", True, False),
        ("task.type in ['ANALYSIS', 'debugging']", False, False),
    ],
)
def test_conditions(condition, holds, holds_without_facts):
    rule = compile_rule(condition)
    assert rule.evaluate(FULL) is holds
    assert rule.evaluate({}) is holds_without_facts
    assert rule.evaluate({"task": {}, "response": {}}) is holds_without_facts


def test_a_rule_knows_the_facts_that_it_looks_at():
    assert compile_rule("task.complexity > 7 and not response.failed").names == {"task.complexity", "response.failed"}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("task.complexity > ", "column 18: this is not a condition; write it like task.complexity > 7 and task.type == 'bug_fixing'"),
        ("", "column 1: this is not a condition; write it like task.complexity > 7 and task.type == 'bug_fixing'"),
        ("task.complexity > 7 && task.needs", "column 22: this is not a condition; write 'and' for '&&'"),
        ("task.needs || task.languages", "column 13: this is not a condition; write 'or' for '||'"),
        ("!task.needs", "column 1: this is not a condition; write 'not' for '!'"),
        ("task.type = 'a'", "column 11: this is not a condition; write '==' to compare"),
        ("task.complexity > 'high'", "column 19: task.complexity is a number, but this is a text"),
        ("task.languages == 'python'", "column 19: task.languages is a list: write 'python' in task.languages"),
        ("3 < host.models", "column 1: host.models is a list, but this is not"),
        ("'ä' in task.languages and 7 == task.type", "column 27: task.type is a text: put the value in quotes"),
        (
            "task.type == 'code_genration'",
            f"column 14: 'code_genration' is not a class of tasks; did you mean 'code_generation'? {CLASSES}",
        ),
        ("'x' != task.type", f"column 1: 'x' is not a class of tasks. {CLASSES}"),
        ("task.type not in ['BUG_FIXING', 'BUGFIX']", f"column 33: 'BUGFIX' is not a class of tasks; did you mean 'bug_fixing'? {CLASSES}"),
        ("task.type is null", "column 1: write '==' for 'is' and '!=' for 'is not'"),
    ],
)
def test_faults_have_a_column_and_a_cure(condition, message):
    with pytest.raises(RuleError) as caught:
        compile_rule(condition, TASK_CLASSES)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("condition", "start"),
    [
        ("true and task.complexty > 7", "column 10: 'task.complexty' is not known; did you mean 'task.complexity'? Known: task.type,"),
        ("complexity > 7", "column 1: 'complexity' is not known; did you mean 'task.complexity'? Known: task.type,"),
        ("task.type == debugging", "column 14: 'debugging' is not known; put a text in quotes. Known: task.type,"),
    ],
)
def test_unknown_names_get_the_nearest(condition, start):
    with pytest.raises(RuleError) as caught:
        compile_rule(condition)
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('true')",
        "task.__class__",
        "task.type.__class__.__mro__",
        "().__class__.__bases__",
        "task.type.format(1)",
        "'{0.__class__}'.format(1)",
        "9**9**9",
        "'a' * 999999999",
        "[0] * 999999999",
        "task.complexity + 1",
        "not -task.complexity",
        "task.complexity ** 2 > 4",
        "2 ** 9 < task.complexity",
        "task.complexity << 3 > 1",
        "task.type + 'x' == 'y'",
        "task.type * 1000000 == 'y'",
        "task.languages + task.needs == ['a']",
        "task.requires_speed + 1 > 1",
        "true + 1 > 1",
        "'%s' % task.type == 'a'",
        "task.complexity / 0 > 1",
        "task.complexity % 0.0 > 1",
        "1 // 0 > task.complexity",
        "task.complexity * 9999999999999999999 > 1",
        "999999999999999 * 999999999999999 > task.complexity",
        "task.complexity + 1 == null",
        "task.complexity * 2 == true",
        "task.complexity - 1 in 'abc'",
        "[x for x in task.languages]",
        "(lambda: 1)()",
        "open('/etc/passwd')",
        "f'{task.type}'",
        "task['type']",
        "task.languages[0]",
        "(x := 1)",
        "1 if true else 2",
        "{1: 2}",
        "{1}",
        "b'bytes' == task.type",
        "...",
        "1j < 2",
        "await task.type",
        "yield",
        "task",
        "not task",
        "*task.languages",
        "[*task.languages]",
        "True == task.requires_speed; 1",
        "(" * 300 + "1" + ")" * 300,
        "not " * 240 + "1",
        "-" * 900 + "1",
        " or ".join(["true"] * 120),
        "task.type == '" + "x" * 1000 + "'",
        "\x00",
        "'\\ud800' == task.type and \ud800",
    ],
)
def test_everything_else_is_refused(attack):
    with pytest.raises(RuleError):
        compile_rule(attack)


@given(st.text(max_size=80))
def test_any_text_is_a_rule_or_a_rule_error(text):
    _compile_and_try(text)


_WORDS = st.sampled_from(
    [
        *FACTS,
        "and",
        "or",
        "not",
        "in",
        "==",
        "!=",
        "<",
        "(",
        ")",
        "[",
        "]",
        ",",
        "1",
        "-1",
        "'a'",
        "true",
        "null",
        "is",
        "\\",
        "1or",
        "'\\d'",
    ]
)


@given(st.lists(_WORDS, max_size=12).map(" ".join))
def test_a_rule_never_raises(text):
    _compile_and_try(text)


def _compile_and_try(text: str) -> None:
    rule, column = _compiled(text)
    assert 1 <= column <= len(text) + 1
    assert rule.evaluate(FULL) in (True, False)
    assert rule.evaluate({}) in (True, False)
    assert rule.names <= FACTS.keys()


def _compiled(text: str) -> tuple[Rule, int]:
    """The rule, or one that always holds and the column of the fault."""
    try:
        return compile_rule(text), 1
    except RuleError as error:
        return compile_rule("true"), error.column


# ---------------------------------------------------------------- what can never be true


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("task.complexity > 12", "this can never be true: task.complexity is from 1 to 10"),
        ("task.complexity < 1", "this can never be true: task.complexity is from 1 to 10"),
        ("task.complexity in [0, 11]", "this can never be true: task.complexity is from 1 to 10"),
        ("task.confidence > 80 and task.requires_speed", "this can never be true: task.confidence is from 0 to 1"),
        ("run.turns < 0", "this can never be true: no count is below 0"),
        ("task.complexity > 7 and task.complexity < 5", "this can never be true, for any value of task.complexity"),
        ("task.type == 'refactoring' and task.type == 'bug_fixing'", "this can never be true, for any value of task.type"),
        ("task.requires_speed and not task.requires_speed", "this can never be true, for any value of task.requires_speed"),
        ("task.requires_speed == 'yes'", "this can never be true, for any value of task.requires_speed"),
        ("run.phase == 'plan' and run.phase in ['work', 'review']", "this can never be true, for any value of run.phase"),
        ("'python' in task.type", "this can never be true, for any value of task.type"),
        ("false or null", "this is never true"),
        ("1 > 2", "this is never true"),
    ],
)
def test_what_can_never_hold(condition, why):
    assert impossible(compile_rule(condition)) == why


@pytest.mark.parametrize(
    "condition",
    [
        "task.complexity >= 10",
        "task.complexity <= 1",
        "9 < task.complexity < 9.5",
        "run.turns < 5 and not run.turns",
        "task.complexity > 12 or task.requires_speed",
        "task.complexity > run.turns",
        "not task.complexity > 12",
        "task.type == null",
        "'a' in task.languages and 'b' in task.languages and 'c' not in task.languages",
        "'a' in task.text and 'b' in task.text and 'c' not in task.text",
        "task.text not in ['a', 'b']",
        "run.seconds > 1e400",
        "(not task.requires_speed) == true",
        " and ".join(f"task.{name} > 0" for name in ("complexity", "confidence", "text_length", "context_tokens") * 3),
    ],
)
def test_what_may_hold(condition):
    assert impossible(compile_rule(condition)) == ""


NUMBERS = st.sampled_from([name for name, kind in FACTS.items() if kind == "number"][:3])
COMPARISONS = st.builds(
    lambda name, sign, value: f"{name} {sign} {value}", NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(-2, 12)
) | st.builds(lambda sign, value: f"task.type {sign} '{value}'", st.sampled_from(["==", "!="]), st.sampled_from(TASK_CLASSES[:3]))
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda parts: (
        st.builds(lambda a, word, b: f"({a} {word} {b})", parts, st.sampled_from(["and", "or"]), parts) | parts.map("(not {})".format)
    ),
    max_leaves=6,
)


@given(CONDITIONS, st.data())
def test_what_is_said_never_to_hold_never_does(condition, data):
    """No rule that holds for any task is refused."""
    rule = compile_rule(condition)
    values = {name: st.floats(*RANGES.get(name, (0, 20))) | st.integers(1, 10) for name in rule.names if FACTS[name] == "number"}
    drawn = {name.partition(".")[2]: data.draw(st.none() | kind) for name, kind in values.items()}
    task = {
        "type": data.draw(st.none() | st.sampled_from(TASK_CLASSES)),
        **{name: value for name, value in drawn.items() if _in_range(name, value)},
    }
    assert not (rule.evaluate({"task": task}) and impossible(rule))


def _in_range(name, value):
    low, high = RANGES.get(f"task.{name}", (0, 20))
    return value is None or low <= value <= high
