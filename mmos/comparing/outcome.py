"""Defines the outcome of a comparison: where each side stands, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmos.comparing.pairing import Difference
from mmos.comparing.ratio import Ratio
from mmos.comparing.scores import Cost


@dataclass(frozen=True)
class Standing:
    """One side: how good it is, and what it costs."""

    side: str
    cases: int
    mean: float | None
    """Of its scores. None: it has none."""
    low: float | None
    high: float | None
    right: float | None
    """How many cases it has right. None: its scores are not all from 0 to 1."""
    answers: int
    """How many answers it was asked for: several for each case, if there are samples."""
    failed: int
    """Answers that did not come."""
    cost: Cost


@dataclass(frozen=True)
class Group:
    """The cases of one group, or of one type."""

    name: str
    cases: int
    means: Mapping[str, float]
    """The mean of each side that has answers there."""


@dataclass(frozen=True)
class Differing:
    """A case on which two sides differ."""

    case: str
    a: float
    b: float


@dataclass(frozen=True)
class Pair:
    """Two sides on the cases that both answered."""

    a: str
    b: str
    difference: Difference
    """Of `a` less `b`."""
    p: float
    """The p of the difference. With more than two sides it allows for the number of comparisons (Holm)."""
    cost: Ratio | None
    """The GPU-seconds of `b` as a part of those of `a`."""
    differing: Sequence[Differing]
    within: float
    judged: int
    """How many of the cases a judge has compared."""
    is_share: bool
    """Whether all scores are from 0 to 1, so that differences are percentage points."""
