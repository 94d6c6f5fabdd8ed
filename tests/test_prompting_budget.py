"""How long a text is in tokens: near enough before anything is known, and nearer with every count of a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.messages import Message, ToolCall
from mmos.prompting.budget import Gauge, estimate, weigh

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


M = "m:latest"


def learn(gauge: Gauge, *counts: tuple[float, int]) -> int:
    """Learn from these counts as a run does. Returns how often the factor changed."""
    changes = 0
    for weight, counted in counts:
        if factor := gauge.learn("m", weight, counted):
            gauge.factors[M] = factor
            changes += 1
    return changes


def test_the_gauge_learns_what_a_model_counts() -> None:
    gauge = Gauge()
    assert gauge.tokens("m", 100.0) == 101
    assert learn(gauge, *[(1000.0, 1500)] * 30) == 1  # each change is an event
    assert gauge.tokens("m", 1000.0) == gauge.tokens("M:latest", 1000.0) == 1501
    assert gauge.tokens("other", 1000.0) == 1001


def test_one_odd_count_does_not_turn_it() -> None:
    gauge = Gauge({M: 1.0})
    learn(gauge, (1000.0, 3000))
    assert gauge.factors[M] == pytest.approx(1.6)


def test_small_changes_add_up_until_they_count() -> None:
    gauge = Gauge({M: 1.0})
    assert learn(gauge, *[(1000.0, 1060)] * 5) == 0
    assert learn(gauge, *[(1000.0, 1060)] * 5) == 1
    assert gauge.factors[M] == pytest.approx(1.05, abs=0.01)


@given(st.lists(st.tuples(st.floats(50, 1e6), st.integers(1, 10**7)), min_size=1))
def test_what_it_learns_is_bounded(counts: list[tuple[float, int]]) -> None:
    gauge = Gauge()
    learn(gauge, *counts)
    assert 0.25 <= gauge.factors.get(M, 1.0) <= 4.0


def test_short_prompts_and_missing_counts_teach_nothing() -> None:
    gauge = Gauge()
    assert learn(gauge, (49.0, 200), (500.0, 0)) == 0


def test_a_refusal_counts_at_once_and_never_shrinks_it() -> None:
    gauge = Gauge({M: 1.2})
    assert gauge.corrected("m", 1000.0, 900) == 1.2
    assert gauge.corrected("m", 1000.0, 2500) == 2.5
