"""Writes a comparison as one JSON document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mmos.comparing.outcome import Group, Pair, Standing
from mmos.comparing.scores import Score
from mmos.comparing.verdict import verdict_of

VERSION = 1


def document(standings: Sequence[Standing], pairs: Sequence[Pair], failures: Sequence[Score], groups: Sequence[Group]) -> dict[str, Any]:
    """The parts of the document, always with every key."""
    return {
        "version": VERSION,
        "sides": [_side(standing) for standing in standings],
        "pairs": [_pair(pair) for pair in pairs],
        "groups": [
            {"group": one.name, "cases": one.cases, "scores": {side: _rounded(mean) for side, mean in one.means.items()}} for one in groups
        ],
        "failures": [{"id": score.case, "side": score.side, "why": score.why} for score in failures],
    }


def _side(standing: Standing) -> dict[str, Any]:
    cost = {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(standing.cost).items()}
    return {
        "side": standing.side, "cases": standing.cases, "right": _rounded(standing.right), "score": _rounded(standing.mean),
        "interval": _interval(standing.low, standing.high), "answers": standing.answers, "failed": standing.failed, **cost,
    }  # fmt: skip


def _pair(pair: Pair) -> dict[str, Any]:
    found, verdict = pair.difference, verdict_of(pair)
    return {
        "a": pair.a, "b": pair.b, "cases": found.cases, "a_better": found.better, "b_better": found.worse, "ties": found.ties, "judged": pair.judged,
        "difference": _rounded(found.mean), "interval": _interval(found.low, found.high), "p": _rounded(found.p), "p_adjusted": _rounded(pair.p),
        "test": "mcnemar_exact" if found.exact else "paired_t",
        "gpu_seconds": {"ratio": _rounded(pair.cost.value), "interval": _interval(pair.cost.low, pair.cost.high)} if pair.cost else None,
        "within": pair.within, "verdict": verdict.kind, "better": verdict.side, "text": verdict.text, "needed": verdict.needed,
        "differing": [{"id": one.case, "a": _rounded(one.a), "b": _rounded(one.b)} for one in pair.differing],
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _interval(low: float | None, high: float | None) -> list[float] | None:
    """None: too few scores say anything."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return None
    return [round(low, 6), round(high, 6)]
