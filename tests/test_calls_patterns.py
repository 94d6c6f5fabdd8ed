"""Patterns of schemas: they mean what Python's mean, and none takes more work than was allowed."""

from __future__ import annotations

import random
import re

import pytest

from mmos.calls.patience import Misread, Patience
from mmos.calls.patterns import LONGEST, UnknownPattern, fits, literal, search

PARTS = [
    "a",
    "b",
    "[ab]",
    "[^a]",
    ".",
    r"\d",
    r"\w",
    r"\s",
    r"\S",
    r"\b",
    "^",
    "$",
    "(a|b)",
    "(?:ab|a)",
    "(?=a)",
    "(?!b)",
    "(?<=a)",
    "(?<!b)",
    "(?i:A)",
    "x",
    "1",
]
REPEATS = ["", "", "*", "+", "?", "{2}", "{1,3}", "+?", "{0,2}"]  # fmt: skip
HOSTILE = [
    ("^(a+)+$", "a" * 5000 + "!", False),
    ("^(a|aa)+$", "a" * 5000 + "!", False),
    ("(x+x+)+y", "x" * 3000, False),
    (r"^((ab)*)*c$", "ab" * 2000, False),
    (r"(\w+\s?)*$", "word " * 1000 + "!", True),
    (r"^(?:(?:a?){60000}){60000}$", "a" * 300, True),
    (r"^[\s\S]*$", "x" * 50_000, True),
]


def test_they_mean_what_pythons_mean() -> None:
    chance = random.Random(3)
    tried = 0
    while tried < 4000:
        parts = [chance.choice(PARTS) + chance.choice(REPEATS) for _ in range(chance.randint(1, 5))]
        pattern, text = "".join(parts), "".join(chance.choice("ab1x A_") for _ in range(chance.randint(0, 7)))
        try:
            expected = re.search(pattern, text) is not None
        except re.error:
            continue
        tried += 1
        assert search(pattern, text) == expected, (pattern, text)


@pytest.mark.parametrize(("pattern", "text", "expected"), HOSTILE)
def test_patterns_that_hang_elsewhere_are_answered(pattern: str, text: str, expected: bool) -> None:
    assert search(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text"), [("((a{1000}){1000}){1000}", "a" * 9000), ("(?=(?:a|a)*b)a*c", "a" * 9000), ("^(.*?,){25}P", "1," * 9000)]
)
def test_what_takes_too_much_work_is_given_up(pattern: str, text: str) -> None:
    patience = Patience()
    with pytest.raises(Misread):
        search(pattern, text, patience)
    assert patience.spent < 2 * patience.limit


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?s).", "a*+b", "(?>a|ab)c", "(", "a" * (LONGEST + 1), "(" * 5000 + ")" * 5000])
def test_a_pattern_that_is_not_known_here_forbids_nothing(pattern: str) -> None:
    with pytest.raises(UnknownPattern):
        search(pattern, "a")
    assert fits(pattern, "a")


def test_the_end_is_the_end_of_the_text() -> None:
    assert not search("^a$", "a\n")
    assert search("(?i)^ÄB[c-e]$", "äbD")


def test_no_warning_of_python_reaches_the_user(recwarn: pytest.WarningsRecorder) -> None:
    assert search("[[a]", "[")
    assert literal("[[:a]b]+x") == "b"
    assert not recwarn.list
