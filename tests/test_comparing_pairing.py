"""The statistics of a comparison: the interval holds what it promises, and both sides are treated alike."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.comparing.pairing import Difference, adjusted, difference, needed, share_interval, sign_test
from mmos.comparing.student import quantile, two_sided


def right_or_wrong(more: float, less: float) -> Callable[[random.Random], float]:
    def draw(chance: random.Random) -> float:
        place = chance.random()
        return 1.0 if place < more else -1.0 if place < more + less else 0.0

    return draw


def thirds(chance: random.Random) -> float:
    """The difference of the means of three samples of a case."""
    return (sum(chance.random() < 0.6 for _ in range(3)) - sum(chance.random() < 0.5 for _ in range(3))) / 3


def rare(chance: random.Random) -> float:
    return chance.random() if chance.random() < 0.25 else 0.0


POPULATIONS = {
    "few differ": (right_or_wrong(0.10, 0.05), 0.05, 100),
    "one side wins": (right_or_wrong(0.30, 0.10), 0.20, 50),
    "no difference": (right_or_wrong(0.15, 0.15), 0.0, 60),
    "samples": (thirds, 0.1, 40),
    "scores": (lambda chance: chance.gauss(0.1, 0.3), 0.1, 25),
    "many ties": (rare, 0.125, 100),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_interval_holds_the_true_difference_in_95_of_100_comparisons(name: str) -> None:
    draw, true, cases = POPULATIONS[name]
    chance, rounds = random.Random(name), 1_500
    found = (difference([draw(chance) for _ in range(cases)]) for _ in range(rounds))
    share = sum(one.low <= true <= one.high for one in found) / rounds
    assert 0.93 <= share <= 0.97


def test_equal_sides_seldom_seem_different() -> None:
    chance, draw = random.Random(7), right_or_wrong(0.2, 0.2)
    found = [difference([draw(chance) for _ in range(60)]).p for _ in range(1_000)]
    assert sum(p < 0.05 for p in found) / 1_000 <= 0.05
    scores = [difference([chance.gauss(0, 1) for _ in range(12)]).p for _ in range(1_000)]
    assert 0.03 <= sum(p < 0.05 for p in scores) / 1_000 <= 0.07


def mirrored(one: Difference) -> tuple[float, ...]:
    return (-one.mean, -one.high, -one.low, one.p, one.worse, one.better)


values = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 3)))


@given(st.lists(values, min_size=1, max_size=60))
def test_the_other_way_round_is_the_mirror_image(listed: list[float]) -> None:
    one, other = difference(listed), difference([-value for value in listed])
    assert mirrored(one) == pytest.approx((other.mean, other.low, other.high, other.p, other.better, other.worse), abs=1e-9)
    assert one.low <= one.mean + 1e-9
    assert one.mean <= one.high + 1e-9
    assert 0 <= one.p <= 1


def test_known_values() -> None:
    assert sign_test(8, 2) == pytest.approx(0.109375)  # scipy.stats.binomtest(2, 10).pvalue
    assert sign_test(0, 6) == pytest.approx(0.03125)
    assert sign_test(3, 3) == 1.0
    assert quantile(0.95, 9) == pytest.approx(2.262157, abs=1e-6)
    assert quantile(0.95, 1) == pytest.approx(12.706205, abs=1e-6)
    assert two_sided(2.0, 30) == pytest.approx(0.0546250, abs=1e-6)
    assert two_sided(0.0, 5) == 1.0


def test_the_ends_of_the_interval_are_1_96_standard_errors_away() -> None:
    better, worse, cases = 8, 3, 40
    found = difference([1.0] * better + [-1.0] * worse + [0.0] * (cases - better - worse))
    for end in (found.low, found.high):
        shares = [step / 100_000 for step in range(max(0, math.ceil(-1e5 * end)) + 1, int(5e4 * (1 - end)))]
        likeliest = max(
            shares,
            key=lambda less: (
                better * math.log(less + end) + worse * math.log(less) + (cases - better - worse) * math.log(1 - 2 * less - end)
            ),
        )
        error = math.sqrt(cases * (2 * likeliest + end * (1 - end)))
        assert abs(better - worse - cases * end) / error == pytest.approx(1.96, abs=0.001)


def test_a_few_cases_are_never_sure() -> None:
    for cases in range(1, 6):
        assert difference([1.0] * cases).p > 0.05
        assert difference([0.5] * cases).p > 0.05
    assert difference([1.0] * 6).p < 0.05
    assert difference([0.5]).low == -math.inf
    with pytest.raises(ValueError, match="no cases"):
        difference([])


def test_no_difference_on_any_case_leaves_room_for_one() -> None:
    found = difference([0.0] * 20)
    assert (found.mean, found.p) == (0.0, 1.0)
    assert 0.05 < found.high < 0.2


def test_holm_makes_the_smallest_of_several_chances_count_for_all() -> None:
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []
    assert adjusted([0.9, 0.8]) == [1.0, 1.0]


def test_the_needed_cases_show_the_difference_four_times_in_five() -> None:
    chance, draw = random.Random(3), right_or_wrong(0.25, 0.15)
    count = needed(difference([draw(chance) for _ in range(4_000)]), 0.10)
    seen = sum(difference([draw(chance) for _ in range(count)]).p < 0.05 for _ in range(300)) / 300
    assert 0.7 <= seen <= 0.9


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    assert share_interval([1.0] * 8 + [0.0] * 2) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert share_interval([1.0] * 5)[1] == 1.0
    low, high = share_interval([0.2, 0.4, 0.9])
    assert low < 0.5 < high
