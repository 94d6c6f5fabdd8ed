"""What the counts of hosts teach about a model: estimates become near after a few, and no wild count spoils them."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.prompting.budget import USUAL, Counts, count, tokens_of
from mmos.prompting.gauge import MISCOUNT, Gauge, named

PROSE = "The arbiter listens to what the user wants and decides which of the specialists knows most about it. "
CODE = "def merge(left, right):\n    while left and right:\n        yield (left if left[0] <= right[0] else right).pop(0)\n"
LOG = "2024-05-17T08:31:22.418Z ERROR [worker-7] pool: timeout after 30000 ms (host=10.0.4.17:5432, attempt=3/5)\n"
CHINESE = "用户提出一个问题，仲裁者决定由哪位专家来回答。"
TEXTS = [PROSE * 5 + CODE * part + LOG * (part % 3) + CHINESE * (part % 2 * 4) for part in range(1, 6)] * 4


def learn(gauge: Gauge, *counted: tuple[str, int]) -> int:
    """Learn from these counts as a run does. Returns how often the rates changed."""
    changes = 0
    for text, tokens in counted:
        if rates := gauge.learn("m", count(text), tokens):
            gauge.take("m", rates)
            changes += 1
    return changes


@pytest.mark.parametrize(
    "tokenize",
    [
        lambda text: len(text) // 3,
        lambda text: len(text) // 5,
        lambda text: len(text.encode()),
        lambda text: len(text.split()),
        lambda text: int(tokens_of(USUAL, count(text))),
    ],
    ids=["thirds", "fifths", "bytes", "words", "usual"],
)
def test_after_five_counts_an_estimate_is_near(tokenize: Callable[[str], int]) -> None:
    gauge, errors = Gauge(), []
    for text in TEXTS:
        errors.append(abs(gauge.tokens("m", count(text)) - tokenize(text)) / tokenize(text))
        learn(gauge, (text, tokenize(text)))
    assert statistics.median(errors[5:]) <= 0.03
    assert max(errors[5:]) <= 0.1


def test_what_is_known_already_is_no_event() -> None:
    gauge = Gauge()
    assert learn(gauge, *[(PROSE * 20, 700)] * 30) == 1
    assert gauge.tokens("m", count(PROSE * 20)) == gauge.tokens("M:latest", count(PROSE * 20)) == pytest.approx(700, rel=0.02)
    assert gauge.of("other") == USUAL


def test_a_text_unlike_all_that_was_counted_is_in_doubt_also_after_a_restart() -> None:
    gauge = Gauge()
    learn(gauge, *[(PROSE * times, len(PROSE) * times // 5) for times in range(5, 25)])
    restarted = Gauge()
    restarted.take("m", named(gauge.of("m")))
    for known in (gauge, restarted):
        prose, log = count(PROSE * 30), count(LOG * 30)
        assert known.doubt("m", prose) < 0.2 * known.tokens("m", prose)
        assert known.doubt("m", log) > 1.5 * known.doubt("m", prose) * known.tokens("m", log) / known.tokens("m", prose)
    assert Gauge().doubt("m", count(PROSE)) > 0.3 * Gauge().tokens("m", count(PROSE))


def test_the_same_count_for_prompts_of_different_lengths_shows_that_a_host_cuts_them() -> None:
    gauge = Gauge()
    lengths = [50, 47, 44]
    assert [gauge.repeats("m", count(PROSE * length), 822) for length in lengths] == [False, False, True]
    assert not gauge.repeats("m", count(PROSE * 50), 900)
    assert not any(gauge.repeats("m", count(PROSE * 50), 900) for _ in range(5)), "the same prompt"


def test_one_wild_count_does_not_spoil_it() -> None:
    gauge = Gauge()
    learn(gauge, *[(text, len(text) // 3) for text in TEXTS])
    before = gauge.tokens("m", count(PROSE * 20))
    for wild in (5, 100_000):
        learn(gauge, (PROSE * 20, wild))
        assert gauge.tokens("m", count(PROSE * 20)) == pytest.approx(before, rel=0.1)
    learn(gauge, *[(text, len(text) // 3) for text in TEXTS])
    assert gauge.tokens("m", count(PROSE * 20)) == pytest.approx(before, rel=0.03)


def test_another_process_goes_on_with_what_the_events_say() -> None:
    gauge, other = Gauge(), Gauge()
    learn(gauge, *[(text, len(text) // 3) for text in TEXTS])
    other.take("m", named(gauge.of("m")))
    assert other.tokens("m", count(LOG * 9)) == gauge.tokens("m", count(LOG * 9))
    assert learn(other, (TEXTS[0], len(TEXTS[0]) // 3)) == 0


COUNTS = st.tuples(*[st.floats(0, 1e6)] * len(USUAL))


@given(st.lists(st.tuples(COUNTS, st.integers(1, 10**7)), min_size=1, max_size=20))
def test_whatever_hosts_count_an_estimate_is_a_number(counted: list[tuple[Counts, int]]) -> None:
    gauge = Gauge()
    for counts, tokens in counted:
        if rates := gauge.learn("m", counts, tokens):
            gauge.take("m", rates)
        assert gauge.tokens("m", counts) >= 1


def test_short_prompts_and_missing_counts_teach_nothing() -> None:
    assert learn(Gauge(), ("Hello.", 200), (PROSE * 20, 0)) == 0


def test_a_factor_of_an_older_version_still_counts() -> None:
    gauge = Gauge()
    gauge.take("m", {}, 2.0)
    assert gauge.tokens("m", count(PROSE)) == pytest.approx(2 * tokens_of(USUAL, count(PROSE)), abs=1)
    for damaged in ({"letters": "0.3"}, {"letters": float("nan")}, {"digits": 1e9}, {"words": [1]}):
        gauge.take("n", damaged)
        assert gauge.of("n") == USUAL


def test_a_refusal_counts_at_once_and_never_shrinks_it() -> None:
    gauge, counts = Gauge(), count(PROSE * 20)
    assert gauge.corrected("m", counts, 10) == named(USUAL)
    usual = gauge.tokens("m", counts)
    for told, believed in ((2500, 2500), (10**9, MISCOUNT * usual)):
        gauge.take("m", gauge.corrected("m", counts, told))
        assert gauge.tokens("m", counts) == pytest.approx(believed, rel=0.01)
