"""Joins and cuts time spans, and counts their overlaps."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[float, float]


def joined(spans: Iterable[Span], gap: float = 0.0) -> list[Span]:
    """The spans in order. Spans that overlap, or are less than `gap` apart, become one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if result and start <= result[-1][1] + gap:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((start, end))
    return result


def length(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in joined(spans))


def without(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """The parts of `spans` that are not in `others`."""
    rest: list[Span] = []
    gaps = joined(others)
    for start, end in joined(spans):
        for from_, to in gaps:
            if to <= start or from_ >= end:
                continue
            if from_ > start:
                rest.append((start, from_))
            start = to
        if start < end:
            rest.append((start, end))
    return rest


def depth(spans: Iterable[Span]) -> list[tuple[float, int]]:
    """How many spans overlap, with each moment when that changes."""
    changes: dict[float, int] = {}
    for start, end in spans:
        if end > start:
            changes[start] = changes.get(start, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    steps, height = [], 0
    for moment in sorted(changes):
        height += changes[moment]
        if changes[moment]:
            steps.append((moment, height))
    return steps
