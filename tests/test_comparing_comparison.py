"""Verdicts in plain words: who is better, who is as good for less, and when nothing can be said."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import orjson
import pytest

from mmos.comparing.cases import BadCases
from mmos.comparing.comparison import Comparison, compare
from mmos.comparing.scores import Cost, Preference, Score, scores_of


def scores(right: dict[str, Sequence[float]], gpu_seconds: dict[str, float] | None = None) -> list[Score]:
    spent = gpu_seconds or {}
    return [
        Score(side, str(case), value, Cost(gpu_seconds=spent.get(side, 1.0) * (1 + case % 3)))
        for side, values in right.items()
        for case, value in enumerate(values)
    ]


def compared(right: dict[str, Sequence[float]], gpu_seconds: dict[str, float] | None = None) -> Comparison:
    return compare(scores(right, gpu_seconds), sides=list(right))


def test_one_side_is_better() -> None:
    found = compared({"big": [1] * 38 + [0] * 2, "small": [1] * 26 + [0] * 12 + [1, 0]}, {"small": 0.5})
    [text] = found.verdicts
    assert text.startswith(
        "big is better than small. big: right where the other is wrong on 12 of 40 cases, the reverse on 1. big is ahead by 27.5 points"
    )
    assert text.endswith("small costs 50 % less (GPU-seconds).")
    [pair] = found.document()["pairs"]  # type: ignore[misc]
    assert (pair["verdict"], pair["better"], pair["test"], pair["ties"]) == ("better", "big", "mcnemar_exact", 27)
    assert [one["id"] for one in pair["differing"]] == [*map(str, range(26, 39))]


def test_one_side_is_as_good_for_less() -> None:
    values = [1.0] * 700 + [0.0] * 300
    found = compared({"dear": values, "cheap": [*values[5:], 1, 0, 1, 0, 1]}, {"cheap": 0.6})
    assert found.verdicts[0].startswith("cheap is as good as dear within 3 points, and costs 40 % less (GPU-seconds).")


def test_identical_sides_do_not_differ() -> None:
    for values in ([1, 0] * 500, [0.3, 0.8] * 10, [1.0]):
        found = compared({"a": values, "b": values})
        [pair] = found.pairs
        assert (pair.difference.mean, pair.p, pair.differing) == (0.0, 1.0, [])
        assert "better than" not in found.verdicts[0]
    assert compared({"a": [1, 0] * 500, "b": [1, 0] * 500}).verdicts[0].startswith("a and b are equally good within 3 points")


def test_too_few_cases_say_so_and_how_many_are_needed() -> None:
    [few] = compared({"a": [1, 1, 1, 1], "b": [0, 0, 0, 0]}).verdicts
    assert "Fewer than 6 cases cannot show a difference" in few
    [one] = compared({"a": [1], "b": [0]}).verdicts
    assert one.startswith("No difference can be seen between a and b with 1 case.")
    [some] = compared({"a": [1] * 12 + [0] * 3, "b": [1] * 10 + [0] * 5}).verdicts
    assert "With 15 cases only a large difference can be seen." in some
    assert "cases would be needed to show a difference of 13.3 points as seen here." in some
    assert compare([], sides=["a", "b"]).pairs == []


def test_the_other_order_gives_the_mirror_image() -> None:
    chance = random.Random(4)
    given = {name: [float(chance.random() < 0.7) for _ in range(50)] for name in "ab"}
    one, other = compared(given, {"b": 2.0}).pairs[0], compared(dict(reversed(given.items())), {"b": 2.0}).pairs[0]
    assert (one.difference.mean, one.difference.low, one.p) == pytest.approx((-other.difference.mean, -other.difference.high, other.p))
    assert one.cost is not None
    assert other.cost is not None
    assert one.cost.value == pytest.approx(1 / other.cost.value)
    assert one.cost.low == pytest.approx(1 / other.cost.high)


def test_three_sides_need_clearer_differences() -> None:
    given = {"a": [1] * 16 + [0] * 4, "b": [1] * 8 + [0] * 12, "c": [1] * 9 + [0] * 11}
    found = compared(given)
    assert found.pairs[0].p == pytest.approx(3 * found.pairs[0].difference.p)
    assert "3 comparisons were made" in found.notes[0]


def test_samples_of_a_case_count_as_one_case() -> None:
    listed = [
        Score(side, str(case), float(value))
        for side, values in (("a", (1, 1, 0)), ("b", (0, 1, 0)))
        for case in range(10)
        for value in values
    ]
    [pair] = compare(listed, sides=["a", "b"]).pairs
    assert (pair.difference.cases, pair.difference.mean) == (10, pytest.approx(1 / 3))


def test_a_judge_decides_where_nothing_was_expected() -> None:
    preferences = [Preference(str(case), "a", "b", 1.0 if case < 9 else 0.5) for case in range(12)]
    found = compare([Score(side, str(case), None) for side in "ab" for case in range(12)], preferences, sides=["a", "b"])
    assert found.verdicts[0].startswith("a is better than b. a: preferred on 9 of 12 cases, the reverse on 0.")
    assert [standing.mean for standing in found.standings] == pytest.approx([0.875, 0.125])
    mixed = compare([Score("a", "x", 1.0), Score("b", "x", 0.0)], preferences, sides=["a", "b"])
    assert mixed.verdicts[0].startswith("a is better than b. a: better on 10 of 13 cases, worse on 0.")


def test_cases_that_only_one_side_has_do_not_count() -> None:
    given = [*scores({"a": [1] * 10, "b": [0] * 8}), Score("a", "more", 1.0)]
    found = compare(given, sides=["a", "b"])
    assert found.pairs[0].difference.cases == 8


def test_scores_of_any_size_are_compared_without_points() -> None:
    chance = random.Random(1)
    given = {"a": [chance.gauss(30, 1) for _ in range(20)], "b": [chance.gauss(20, 1) for _ in range(20)]}
    [text] = compared(given).verdicts
    assert text.startswith("a is better than b. a: better on 20 of 20 cases, worse on 0. a is ahead by ")
    assert "point" not in text


def test_ten_thousand_cases_take_less_than_two_seconds() -> None:
    chance = random.Random(2)
    given = {name: [float(chance.random() < share) for _ in range(10_000)] for name, share in (("a", 0.8), ("b", 0.7))}
    begun = time.process_time()
    found = compared(given)
    orjson.dumps(found.document())
    assert time.process_time() - begun < 2
    assert found.pairs[0].p < 0.001


def test_scored_lines() -> None:
    found = scores_of(
        [b'{"id": 1, "side": "a", "score": 0.5, "gpu_seconds": 2, "more": {}}', b"", b'{"case": "x", "model": "b", "right": true}'], "f"
    )
    assert found == [Score("a", "1", 0.5, Cost(gpu_seconds=2)), Score("b", "x", 1.0)]
    bad = [
        b'{"id": 1}',
        b'{"side": "a", "score": 1}',
        b'{"id": 1, "side": "a", "score": "high"}',
        b'{"id": 1, "side": "a", "score": 1, "seconds": -1}',
        b"[",
    ]
    with pytest.raises(BadCases) as refused:
        scores_of(bad, "f")
    for part in (
        'line 1: It has no "side"',
        'line 2: It has no "id"',
        'line 3: Its "score" is no number',
        'line 4: Its "seconds" is no amount',
        "line 5",
    ):
        assert part in refused.value.message


def test_a_small_difference_is_called_small() -> None:
    chance = random.Random(1)
    right = [float(chance.random() < 0.8) for _ in range(9_000)]
    found = compared({"a": right, "b": [value * (case % 100 > 0) for case, value in enumerate(right)]})
    assert found.verdicts[0].startswith("a is better than b")
    assert "That is less than 3 points, in any case." in found.verdicts[0]
