"""What an answer stands for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.voting.ballot import KINDS, NO_CALL, ballot, ballots, kind_of
from mmos.voting.choices import options_in
from mmos.voting.wording import same

OPTIONS = "Which planet is the largest?\n(A) Mars\n(B) Jupiter\n(C) Venus"
SAFE = "Does this code contain a buffer overflow?"


@pytest.mark.parametrize(
    ("kind", "answer", "vote"),
    [
        ("choice", "Jupiter has 318 times our mass. The answer is (B).", "B"),
        ("choice", "B) Jupiter, not A) Mars", "B"),
        ("choice", "**Answer: B**", "B"),
        ("choice", r"so \boxed{B}", "B"),
        ("choice", "b", "B"),
        ("choice", "A and B are wrong. Therefore C.", "C"),
        ("choice", "Answer: I think it is Venus", "C"),
        ("choice", "It is Jupiter.", "B"),
        ("choice", "The answer is (F).", None),
        ("choice", "I do not know.", None),
        ("number", "6 * 7 = <<6*7=42>>42\n#### 42", "42"),
        ("number", "It costs $1,234.50 in total.", "1234.5"),
        ("number", "The answer is 1/2.", "0.5"),
        ("number", r"\boxed{\frac{3}{4}}", "0.75"),
        ("number", "First 12, then 30. A: -18", "-18"),
        ("number", "1 1/2 cups", "1.5"),
        ("number", r"It is 3 \times 10^8 m/s.", "300000000"),
        ("number", "1.5 million", "1500000"),
        ("number", "There are twelve.", "12"),
        ("number", "1e-9", "1e-09"),
        ("number", "<think>Is it 12?</think>It is thirteen.", "13"),
        ("number", "<think>12</think>", None),
        ("number", "none", None),
        ("number", "I do not know, but 7 of them asked.", None),
        ("yes_no", "No, it checks the length.", "no"),
        ("yes_no", "The code does **not** contain a buffer overflow.", "no"),
        ("yes_no", "Line 3 copies without a check. So this code contains a buffer overflow.", "yes"),
        ("yes_no", "There is no buffer overflow in this code.", "no"),
        ("yes_no", "Yes, there is a buffer overflow. So, after another look, this code does not contain a buffer overflow.", "no"),
        ("yes_no", "The code contains a buffer overflow because it does not check the length.", "yes"),
        ("yes_no", "The buffer is small, but there is no buffer overflow.", "no"),
        ("yes_no", "The code does not fully prevent a buffer overflow.", "yes"),
        ("yes_no", "So yes, it has faults, but you won't find a buffer overflow there.", "no"),
        ("yes_no", "So yes, a buffer overflow is there.", "yes"),
        ("yes_no", "<think>Yes, a buffer overflow exists.</think>No.", "no"),
        ("label", "Label: Bug fixing.", "bug fixing"),
        ("label", "refactoring", "refactoring"),
        ("label", "I don't know.", None),
        ("label", "Step-by-step analysis:\nIt fails.", None),
        ("json", '```json\n{"b": 1.0, "a": "X y"}\n```', '{a="xy", b=1}'),
        ("json", "no json", None),
        ("tool_calls", [{"name": "math.add", "arguments": {"b": 2, "a": 1.0}}], "math_add(a=1, b=2)"),
        ("tool_calls", [{"function": {"name": "add", "arguments": '{"a": 1}'}}], "add(a=1)"),
        ("tool_calls", [{"name": "add", "arguments": {"a": "1", "b": "True", "c": None, "d": "3.5"}}], "add(a=1, b=true, d=3.5)"),
        ("tool_calls", [{"function": "add"}], None),
        ("tool_calls", "Nothing to call.", NO_CALL),
        ("tool_calls", [], NO_CALL),
        ("tool_calls", [{"arguments": {}}], None),
        ("tool_calls", None, None),
        ("text", "  The Cat sat! ", "the cat sat"),
        ("text", "", None),
    ],
)
def test_a_vote_is_read(kind, answer, vote):
    question = {"choice": OPTIONS, "yes_no": SAFE}.get(kind, "")
    assert ballot(kind, answer, question).vote == vote


@pytest.mark.parametrize(
    ("question", "answers", "kind"),
    [
        (OPTIONS, ["(B)", "A"], "choice"),
        ("How many apples are left?", ["There are 3.", "4"], "number"),
        (SAFE, ["Yes.", "No, it does not."], "yes_no"),
        ("Give me JSON.", ['{"a": 1}', "[2]"], "json"),
        ("Explain mutexes.", ["A lock.", "It guards data."], "text"),
    ],
)
def test_the_kind_of_a_question_is_found(question, answers, kind):
    assert kind_of(question, answers) == kind


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Use a mutex to guard the shared counter.", "Guard the shared counter with a mutex.", True),
        ("Use a mutex to guard the shared counter.", "Do not use a mutex to guard the shared counter.", False),
        ("The limit is 30 seconds by default.", "The limit is 60 seconds by default.", False),
        ("Latency will increase with the batch size.", "Latency will decrease with the batch size.", False),
        ("Restart the Redis server after the change.", "Restart the Postgres server after the change.", False),
        ("Use a lock.", "Bananas are yellow.", False),
    ],
)
def test_texts_say_the_same_only_if_nothing_speaks_against_it(one, other, is_same):
    assert same(one, other) is is_same
    assert same(other, one) is is_same


def test_a_sentence_votes_for_the_label_of_the_others_that_it_names():
    answers = {
        "a": "bug",
        "b": "feature",
        "c": "I would call that a bug, because it worked before.",
        "d": "It is a bug or a feature, who can say.",
    }
    assert {name: one.vote for name, one in ballots("label", answers).items()} == {"a": "bug", "b": "feature", "c": "bug", "d": None}


def test_a_question_for_yes_or_no_gets_no_other_label():
    assert ballot("label", "Security analysis", SAFE).vote is None
    assert ballot("label", "Feature", "Is that a bug or a feature?").vote == "feature"


@given(st.sampled_from(KINDS), st.text(max_size=400), st.text(max_size=200))
def test_no_text_breaks_it(kind, answer, question):
    assert ballot(kind, answer, question).vote != ""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tool_calls"])
def test_a_long_answer_takes_no_long_time(kind):
    answer = "The code does not 1,000.5 (A) say it; " * 300
    start = time.process_time()
    ballot(kind, answer, OPTIONS)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("How many? A) 12 B) 24 C) 30. Answer with the letter.", {"A": "12", "B": "24", "C": "30"}),
        ("Which is a bird? A) cat, B) crow or C) cow?", {"A": "cat", "B": "crow", "C": "cow"}),
        ("Compare plan A) with the others.", {}),
    ],
)
def test_options_may_follow_each_other_in_one_line(question: str, options: dict[str, str]) -> None:
    assert options_in(question) == options


def test_a_question_that_asks_how_many_is_not_answered_by_yes() -> None:
    assert kind_of("How many legs do 3 spiders have?", ["Yes, they have some.", "No."]) == "text"
    assert kind_of("What is 4? Is it even?", ["Yes.", "No."]) == "yes_no"
