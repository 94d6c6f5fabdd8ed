"""Joins and cuts time spans, and counts their overlaps."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[float, float]


def joined(spans: Iterable[Span], gap: float = 0.0) -> list[Span]:
    """The spans in order. Spans that overlap, or are less than `gap` apart, become one."""
    made: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if made and start <= made[-1][1] + gap:
            made[-1] = made[-1][0], max(made[-1][1], end)
        else:
            made.append((start, end))
    return made


def length(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in joined(spans))


def without(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """The parts of `spans` that are not in `others`."""
    left: list[Span] = []
    taken = joined(others)
    for start, end in joined(spans):
        for from_, to in taken:
            if to <= start or from_ >= end:
                continue
            if from_ > start:
                left.append((start, from_))
            start = to
        if start < end:
            left.append((start, end))
    return left


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
