"""What is believed of a judge: only what it can quote."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.calls.shape import Shape
from mmos.judging.rubric import RUBRIC, SCHEMA, UNREADABLE, is_quoted, read
from tests.judging import bad, opinion

ANSWER = "Sort the list first.\nThen **take** the `middle` element – it is the median."


@pytest.mark.parametrize(
    "quote",
    [
        "Sort the list first.",
        "sort THE list first",
        "“Sort the list first.”",
        "Sort   the\nlist first",
        "Then take the middle element",
        "the `middle` element - it is the median",
        "Sort the list … is the median",
        "Sort the list [...] the median.",
        "...the list first",
    ],
)
def test_words_of_the_answer_are_found(quote: str) -> None:
    assert is_quoted(quote, ANSWER)


@pytest.mark.parametrize(
    "quote", ["", "   ", "…", "Sort", "the", "Sort the list last.", "the median … Sort the list", "Take the mean", '"', "*"]
)
def test_other_words_are_not(quote: str) -> None:
    assert not is_quoted(quote, ANSWER)


@given(st.text(min_size=1).filter(lambda text: bool(text.strip(" \t\n\"'`*_“”‘’«».,;:…"))))
def test_a_whole_answer_quotes_itself_or_nothing_does(text: str) -> None:
    assert is_quoted(text, text) or not any(is_quoted(part, text) for part in text.split())


def test_a_short_answer_is_quoted_as_a_whole() -> None:
    assert is_quoted("42", "42.")
    assert not is_quoted("4", "42.")


def test_the_points() -> None:
    said = orjson.loads(opinion(ANSWER, correct=bad("Sort the list", "No need to sort.", "Use a heap.")))
    reading = read(said, "How?", ANSWER, "m")
    assert reading.opinions == {"correct": "bad", "complete": "good", "instructions": "good", "safe": "good"}
    (finding,) = reading.findings
    assert (finding.kind, finding.severity, finding.where, finding.by) == ("incorrect", "error", "line 1", "m")
    assert (finding.message, finding.cure, finding.quote) == ("No need to sort.", "Use a heap.", "Sort the list")
    assert reading.counts


def test_what_is_missing_is_quoted_from_the_question() -> None:
    missing = bad("and its cost", "It says nothing of the cost.")
    said = orjson.loads(opinion(ANSWER, complete=missing, correct=missing))
    reading = read(said, "How do I find the median, and its cost?", ANSWER, "m")
    assert (reading.opinions["complete"], reading.opinions["correct"]) == ("bad", "cannot_verify")


@pytest.mark.parametrize(
    "data", [None, [], "good", {}, {"correct": "good"}, {"correct": {"verdict": "good"}}, {"correct": {"verdict": "good", "quote": 3}}]
)
def test_what_is_no_opinion_says_nothing(data: Any) -> None:
    assert read(data, "How?", ANSWER, "m") == UNREADABLE
    assert not UNREADABLE.counts


def test_every_opinion_fits_the_schema() -> None:
    shape = Shape.of(SCHEMA)
    assert shape.problems(opinion("x", correct=bad("x", "y"))) == []
    assert shape.problems("{}")
    assert [point.name for point in RUBRIC] == list(SCHEMA["properties"])
