"""Moves the threshold of a class of tasks to where the ratings of the user say that good answers begin (pure functions)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmos.events import Entry, RunRated
from mmos.plurals import counted
from mmos.views.quality import JUDGING, Validation

LEAST_RATED = 10
"""With fewer ratings in a class, its threshold is the configured one."""
FARTHEST = 0.15
"""How far a threshold moves at most."""
STEP = 0.01


class Rated(NamedTuple):
    """An answer that was judged, and what the user said of it."""

    score: float
    good: bool


class Threshold(NamedTuple):
    """A threshold, and what it comes from."""

    value: float
    why: str = ""


def rated(entries: Iterable[Entry], task_class: str) -> list[Rated]:
    """The rated answers to tasks of a class. The newest rating of a run counts."""
    runs: dict[str, Validation] = {}
    ratings: dict[str, bool] = {}
    for entry in entries:
        if isinstance(entry.event, RunRated):
            ratings[entry.run] = entry.event.good
        elif isinstance(entry.event, JUDGING):
            runs.setdefault(entry.run, Validation()).apply(entry.event)
    judged = ((run, view.verdict) for run, view in runs.items() if run in ratings)
    return [Rated(one.score, ratings[run]) for run, one in judged if one is not None and one.judged and one.task_class == task_class]


def adapted(configured: float, ratings: Sequence[Rated], task_class: str) -> Threshold:
    """The threshold that agrees with most ratings, near the configured one. With few ratings it moves only a part of the way."""
    if len(ratings) < LEAST_RATED:
        return Threshold(configured)
    steps = round(FARTHEST / STEP)
    candidates = sorted(
        (round(min(1.0, max(0.0, configured + STEP * step)), 4) for step in range(-steps, steps + 1)), key=lambda one: abs(one - configured)
    )
    best = min(candidates, key=lambda one: sum((rating.score >= one) != rating.good for rating in ratings))  # of equals, the nearest
    moved = round(configured + (best - configured) * len(ratings) / (len(ratings) + LEAST_RATED), 4)
    if abs(moved - configured) < STEP / 2:
        return Threshold(configured)
    name = task_class or "tasks without a class"
    return Threshold(moved, f"threshold {moved:.2f} for {name}, by {counted(len(ratings), 'rating')} ({configured:g} is configured)")
