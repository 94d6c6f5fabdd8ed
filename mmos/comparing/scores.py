"""Holds what each side scored on each case, and what that cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mmos.comparing.cases import check_lines, fields_of
from mmos.errors import UsageError


@dataclass(frozen=True)
class Cost:
    """What answers cost. None: not known."""

    gpu_seconds: float | None = None
    """Seconds in which hosts read prompts and wrote answers, by their own clocks. Loads of models are not in it."""
    seconds: float | None = None
    """From the task to the answer, with all waiting."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    model_calls: int | None = None
    loads: int | None = None
    load_seconds: float | None = None

    @classmethod
    def total(cls, costs: Iterable[Cost]) -> Cost:
        listed = list(costs)
        return cls(**{spec.name: _sum(getattr(cost, spec.name) for cost in listed) for spec in fields(cls)})


def _sum(values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@dataclass(frozen=True)
class Score:
    """How good the answer of one side to one case was."""

    side: str
    case: str
    score: float | None
    """1 is right and 0 is wrong; other numbers count too, and more is better. None: only a judge can say."""
    cost: Cost = Cost()
    why: str = ""
    """What is wrong with it."""
    failed: bool = False
    """Whether there was no answer."""


@dataclass(frozen=True)
class Preference:
    """Which of two answers to a case a judge preferred."""

    case: str
    a: str
    b: str
    share: float
    """1: that of `a`; 0: that of `b`; 0.5: neither."""


SCORES = ("score", "right", "correct", "passed", "value")
SIDES = ("side", "model", "system", "name")
CASES = ("id", "case", "question_id", "qid", "task_id")


def scores_of(lines: Iterable[bytes], name: str) -> list[Score]:
    """The scores in JSON lines `{"id", "side", "score", "gpu_seconds"?}`. Raises `BadCases`, which names the bad lines."""
    scores, bad = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            scores.append(score_of(fields_of(line)))
        except UsageError as error:
            bad.append(f"line {number}: {error.message}")
    check_lines(bad, name, "score")
    return scores


def score_of(given: Mapping[str, Any]) -> Score:
    """The score that a line means."""
    case, side, value = (next((given[key] for key in keys if given.get(key) is not None), None) for keys in (CASES, SIDES, SCORES))
    if case is None or isinstance(case, dict | list):
        raise UsageError('It has no "id" of a case.')
    if not isinstance(side, str) or not side.strip():
        raise UsageError('It has no "side".')
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError('Its "score" is no number.' if value is not None else 'It has no "score".')
    cost = Cost(**{spec.name: _amount(given, spec.name) for spec in fields(Cost)})
    return Score(side, str(case), float(value), cost, str(given.get("why") or ""), failed=given.get("status") == "failed")


def _amount(given: Mapping[str, Any], name: str) -> Any:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UsageError(f'Its "{name}" is no amount.')
    return value


def names_in(scores: Sequence[Score]) -> list[str]:
    return list(dict.fromkeys(score.side for score in scores))
