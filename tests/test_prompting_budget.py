"""How long a text is in tokens: near enough before anything is known, and nearer with every count of a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.messages import Message, ToolCall
from mmos.prompting.budget import USUAL, count, estimate, tokens_of, weigh

ENGLISH = (
    "The arbiter listens to what the user wants, decides which of the specialists knows most about it, and puts their answers together. "
    "Nothing is thrown away on the way: a long answer travels as a reference and reaches the reader as it was written."
)
CODE = '''def merge(left: list[int], right: list[int]) -> list[int]:
    """Two sorted lists as one."""
    merged: list[int] = []
    while left and right:
        merged.append((left if left[0] <= right[0] else right).pop(0))
    return merged + left + right
'''
DATA = '{"id": 48213, "name": "Widget", "tags": ["red", "small"], "price": {"amount": 19.95, "currency": "EUR"}, "stock": [3, 0, 12]}'
LOG = "2024-05-17T08:31:22.418Z ERROR [worker-7] pool.connection: timeout after 30000ms (host=10.0.4.17:5432, attempt=3/5)\n"
CHINESE = "用户提出一个问题，仲裁者决定由哪位专家来回答，然后把所有的答案整理成一个完整的回复。"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        (ENGLISH, 44, 52),  # counts of several usual vocabularies lie between these
        (CODE, 66, 85),
        (DATA, 45, 62),
        (LOG, 48, 72),
        (CHINESE, 24, 46),
    ],
    ids=["english", "code", "json", "log", "chinese"],
)
def test_an_estimate_is_near_what_tokenizers_count(text: str, low: int, high: int) -> None:
    assert low * 0.7 <= estimate(text) <= high * 1.5


@given(st.text(), st.text())
def test_two_texts_are_as_long_as_both(one: str, other: str) -> None:
    assert estimate(one + other) == pytest.approx(estimate(one) + estimate(other))


@given(st.text())
def test_only_nothing_weighs_nothing(text: str) -> None:
    assert (estimate(text) > 0) == bool(text)


def test_half_characters_have_a_weight_too() -> None:
    assert estimate("\udcff") > 0


def test_a_message_weighs_its_words_its_calls_and_a_little_more() -> None:
    bare = Message("user", ENGLISH)
    calling = Message("assistant", ENGLISH, (ToolCall("c1", "look", {"path": "x" * 100}),))
    assert weigh(bare) > estimate(ENGLISH)
    assert weigh(calling) > weigh(bare) + estimate("x" * 100)
    assert weigh(Message("user", "")) > 0


@given(st.text())
def test_the_counts_of_a_text_give_its_estimate(text: str) -> None:
    assert tokens_of(USUAL, count(text)) == pytest.approx(estimate(text))


@given(st.text(), st.lists(st.floats(-1, 1), min_size=len(USUAL), max_size=len(USUAL)))
def test_no_rates_make_a_text_shorter_than_nothing(text: str, rates: list[float]) -> None:
    assert tokens_of(tuple(rates), count(text)) >= 0
