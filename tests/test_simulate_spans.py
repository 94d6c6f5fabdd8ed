"""Stretches of time: their laws."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.simulation.spans import Span, depth, joined, length, without

MOMENTS = st.integers(0, 40).map(float)
SPANS = st.lists(st.tuples(MOMENTS, MOMENTS), max_size=12)


@given(SPANS)
def test_joined_spans_are_in_order_and_apart(spans: list[Span]) -> None:
    made = joined(spans)
    assert all(before[1] < after[0] for before, after in pairwise(made))
    assert joined(made) == made


@given(SPANS, SPANS)
def test_what_is_cut_out_and_what_is_left_make_the_whole(spans: list[Span], others: list[Span]) -> None:
    left = without(spans, others)
    assert length(left) + length(others) == pytest.approx(length([*spans, *others]))
    assert not without(left, spans)


@given(SPANS)
def test_the_depth_adds_up_to_all_the_time(spans: list[Span]) -> None:
    steps = depth(spans)
    area = sum(height * (after[0] - moment) for (moment, height), after in pairwise(steps))
    assert area == pytest.approx(sum(max(0.0, end - start) for start, end in spans))
    assert not steps or steps[-1][1] == 0
