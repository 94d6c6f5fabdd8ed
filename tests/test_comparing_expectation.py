"""Answers against what was expected: fair to the form of a right answer, and strict with a wrong one."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.comparing import final
from mmos.comparing.cases import case_of
from mmos.errors import UsageError

PETS = "Which pet barks?\n(A) the cat\n(B) the dog\n(C) the hot dog"

RIGHT = [
    ({"expect": "42"}, ["42", "The answer is 42.", "**42**", r"Thus $\boxed{42}$.", "6 * 7 = 42 eggs", "#### 42", "We get 41. No: the answer is 42.", "It is 42 (see step 3).", r"\(42\)", "(42)"]),
    ({"expect": 70000}, ["$70,000", "A: 70000.00", "70,000 dollars", "7 × 10^4", "7e4"]),
    ({"expect": 0.5}, ["50%", "1/2", r"\frac{1}{2}", "0.5", ".5"]),
    ({"expect": {"number": 3.14, "tolerance": 0.01}}, ["about 3.1416", "π is 3.14"]),
    ({"expect": -3}, ["-3", "−3 degrees", "x = -3"]),
    ({"answer": "Long reasoning.\n#### 1,200"}, ["1200", "Answer: 1,200 coins"]),
    ({"expect": "Paris"}, ["paris", "The capital of France is **Paris**.", "Answer: `Paris`", r"\boxed{\text{Paris}}"]),
    ({"expect": ["NYC", "New York"]}, ["new  york!", "It is NYC."]),
    ({"expect": "x^2 + 1"}, ["x^2+1", r"\boxed{x^2+1}"]),
    ({"expect": "yes"}, ["Yes, it does.", "**Answer:** yes", "Let me see.\n\nYes."]),
    ({"expect": False}, ["No.", "no, never", "False"]),
    ({"task": PETS, "expect": "B"}, ["B", "(b)", "B. the dog", "The answer is (B).", r"\boxed{B}", "the dog", "Option B is right", "A dog barks: **B**"]),
    ({"task": "Which?", "choices": ["cat", "dog"], "answer": 1}, ["B", "dog", "The answer is dog."]),
    ({"task": "Which?", "choices": {"text": ["cat", "dog"], "label": ["A", "B"]}, "answerKey": "B"}, ["B)"]),
    ({"task": "Which?", "choices": {"text": ["cat", "dog"], "label": ["1", "2"]}, "answerKey": "2"}, ["B", "dog", "The answer is B."]),
    ({"task": "Which?", "options": {"x": "cat", "y": "dog"}, "answer": "y"}, ["B", "dog"]),
    ({"expect": "C#"}, ["I would use C#.", "**C#**"]),
    ({"expect": "C++"}, ["c++", "Use C++ here."]),
    ({"expect": "1/2"}, ["0.5", "1/2", r"\frac{1}{2}"]),
    ({"expect": {"contains": ["a lock", "thread"], "excludes": "process"}}, ["A  **lock** for one\nthread."]),
    ({"expect": {"equals": "SELECT 1"}}, ["select 1", "```sql\nSELECT 1\n```"]),
    ({"expect": {"pattern": r"\d{4}-\d{2}"}}, ["on 2024-05-01"]),
    ({"expect": {"schema": {"type": "object", "required": ["n"]}}}, ['{"n": 1}', '```json\n{"n": 1}\n```']),
    ({"expect": {"calls": [{"name": "weather", "arguments": {"city": "Rome", "days": 2}}]}}, ['{"name": "weather", "arguments": {"days": 2.0, "city": "rome"}}', 'weather(city="Rome", days=2)']),
    ({"gold": [{"math.factorial": {"number": [5, 5.0], "exact": ["", True]}}]}, ["[math.factorial(number=5)]", "[math.factorial(number=5, exact=True)]"]),
]  # fmt: skip

WRONG = [
    ({"expect": "42"}, ["41", "", "It is 4.2", "The answer is 41, not 42", "forty"]),
    ({"expect": "Paris"}, ["Parisian", "Lyon", "Answer: Lyon, not Paris", ""]),
    ({"expect": "C"}, ["C#", "I would use C++."]),
    ({"expect": "C#"}, ["It is C.", "F#"]),
    ({"expect": "Lyon"}, ["It is not Lyon.", "It isn't Lyon, it's Paris."]),
    ({"task": "Which?", "choices": {"text": ["cat", "dog"], "label": ["1", "2"]}, "answerKey": "2"}, ["A", "cat"]),
    ({"expect": "yes"}, ["No.", "Perhaps.", "That is a question."]),
    ({"task": PETS, "expect": "B"}, ["A", "(C)", "the hot dog", "I do not know", "The answer is (A), because B is a dog."]),
    ({"expect": {"contains": ["lock", "thread"]}}, ["a lock", "locks and threads"]),
    ({"expect": {"equals": "SELECT 1"}}, ["It is SELECT 1"]),
    ({"expect": {"schema": {"type": "object", "required": ["n"]}}}, ["{}", "n = 1"]),
    ({"expect": {"calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}}, ["none", 'weather(city="Oslo")', 'weather(city="Rome", days=2)', 'weather(city="Rome")\nweather(city="Rome")']),
]  # fmt: skip


def problem(fields: dict[str, Any], answer: str) -> str:
    expectation = case_of({"task": "What is it?", **fields}, 1).expectation
    assert expectation is not None
    return expectation.problem(answer)


@pytest.mark.parametrize(("fields", "answer"), [(fields, answer) for fields, answers in RIGHT for answer in answers])
def test_the_form_of_a_right_answer_does_not_matter(fields: dict[str, Any], answer: str) -> None:
    assert problem(fields, answer) == ""


@pytest.mark.parametrize(("fields", "answer"), [(fields, answer) for fields, answers in WRONG for answer in answers])
def test_a_wrong_answer_is_wrong_and_the_reason_is_named(fields: dict[str, Any], answer: str) -> None:
    assert problem(fields, answer)


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ({"contain": ["x"]}, 'Did you mean "contains"?'),
        ({"pattern": "(a"}, "cannot match the pattern"),
        ({"pattern": r"(a)\1"}, "cannot match the pattern"),
        ({"schema": {"type": "nope"}}, "not a JSON Schema"),
        ({"number": "x"}, "no number"),
        ({"number": 1, "tolerance": -1}, "less than 0"),
        ({"contains": "x", "tolerance": 1}, '"tolerance" goes with "number" only'),
        ({"choice": "AB"}, "no letter"),
        ({"calls": [{"x": 1}]}, '"calls" must be a list'),
        ([], "empty"),
        ("  ", "empty"),
        ({}, "empty"),
        (float("nan"), "no number"),
    ],
)
def test_what_nobody_could_meet_is_refused(expect: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        problem({"expect": expect}, "x")
    assert says in refused.value.message


def test_a_call_of_a_tool_that_is_not_offered_is_refused() -> None:
    with pytest.raises(UsageError, match="not in its tools"):
        problem({"tools": [{"name": "time"}], "expect": {"name": "weather", "arguments": {}}}, "x")


def test_no_pattern_and_no_answer_can_hang() -> None:
    begun = time.process_time()
    assert "too much work" in problem({"expect": {"pattern": "(a+)+(a|aa)+$"}}, "a" * 30_000 + "b")
    for hostile in (
        "1," * 200_000,
        "\\boxed{" * 60_000,
        "answer is " * 50_000,
        "(" * 300_000,
        "A" * 300_000,
        "- " * 200_000,
        "$" * 300_000,
    ):
        for fields in ({"expect": "42"}, {"expect": "two words"}, {"task": PETS, "expect": "B"}, {"expect": "yes"}):
            problem(fields, hostile)
    assert time.process_time() - begun < 6


def test_a_thought_before_the_answer_does_not_count() -> None:
    assert final.visible("<think>It may be Paris.</think>\nLyon") == "\nLyon"
    assert final.visible("The tag </think> ends a thought.") == "The tag </think> ends a thought."


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    final.number(text)
    final.choice(text, {"A": "x", "B": "y"})
    final.verdict(text)
    assert final.plain(final.plain(text)) == final.plain(final.plain(final.plain(text)))
