"""Measures judges: answers of which MMOS knows whether they are good, and how often a judge was right about them (pure functions)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

from mmos.judging.rubric import Reading
from mmos.names import same_model
from mmos.quality_events import JudgeTried

ENOUGH = 8
"""After so many known answers a judge is not tried any more."""
EACH_RUN = 2
"""So many a run may try at most: each is a call."""
RIGHT_BEFORE, WRONG_BEFORE = 4, 1
"""What is assumed of a judge before it is tried. It counts less, the more is known."""
LEAST_TRIED = 4
"""With fewer known answers a judge that was wrong gets another chance in the next run."""
LEAST_SHARE = 0.75
"""A judge that is right less often may say nothing."""


@dataclass(frozen=True)
class Canary:
    """An answer that MMOS knows."""

    name: str
    good: bool
    question: str
    answer: str

    def is_right(self, reading: Reading) -> bool:
        """Whether a judge found a bad answer bad, or a good one good."""
        is_bad = "bad" in reading.opinions.values()
        return not is_bad and reading.opinions["correct"] == "good" if self.good else is_bad


@cache
def shipped() -> tuple[Canary, ...]:
    """Bad ones and good ones in turn."""
    return tuple(Canary(**one) for one in orjson.loads((Path(__file__).parent / "canaries.json").read_bytes()))


@dataclass(frozen=True)
class Record:
    """What is known of a judge."""

    right: int = 0
    tried: int = 0

    @property
    def reliability(self) -> float:
        """How often it is right. With few known answers, it is near to what is assumed of every judge."""
        return (self.right + RIGHT_BEFORE) / (self.tried + RIGHT_BEFORE + WRONG_BEFORE)

    @property
    def is_reliable(self) -> bool:
        return self.right >= LEAST_SHARE * self.tried

    @property
    def is_barred(self) -> bool:
        """Whether enough is known to choose another judge in its place."""
        return self.tried >= LEAST_TRIED and not self.is_reliable


def record_of(tries: Iterable[JudgeTried], model: str, digest: str) -> Record:
    """What a model with this digest has shown. The newest result for each known answer counts."""
    results = {one.canary: one.right for one in _of(tries, model, digest)}
    return Record(sum(results.values()), len(results))


def next_canaries(tries: Iterable[JudgeTried], model: str, digest: str, most: int) -> Sequence[Canary]:
    """The known answers that the judge gets now, at most so many."""
    known = {one.canary for one in _of(tries, model, digest)}
    return [one for one in shipped() if one.name not in known][: max(0, min(most, ENOUGH - len(known)))]


def _of(tries: Iterable[JudgeTried], model: str, digest: str) -> list[JudgeTried]:
    return [one for one in tries if one.digest == digest and (digest or same_model(one.model, model))]
