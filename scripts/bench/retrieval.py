"""Measures how well passages answer questions: plain BM25 to compare with, recall, intervals of differences, and the area under a curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmos.library.measuring import Gain, PlainBm25, gain

__all__ = ["MEASURES", "Gain", "Place", "PlainBm25", "Question", "area", "gain", "percentile", "rank_of_answer"]

CUTS = (1, 5, 10)


@dataclass(frozen=True)
class Question:
    """A question, and where in which document its answer stands."""

    text: str
    source: str
    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Place:
    """A part of a document that was found."""

    source: str
    start: int
    end: int

    def answers(self, question: Question) -> bool:
        """Whether it holds the whole answer. An answer that is longer than any passage is met by a passage that lies in it."""
        if self.source != question.source:
            return False
        whole = self.start <= question.start and self.end >= question.end
        return whole or (question.start <= self.start and self.end <= question.end)


def rank_of_answer(places: Sequence[Place], question: Question) -> int:
    """From 1. 0: none of them has the answer."""
    return next((number for number, place in enumerate(places, 1) if place.answers(question)), 0)


def _recall(cut: int) -> Callable[[int], float]:
    return lambda rank: float(0 < rank <= cut)


MEASURES: Mapping[str, Callable[[int], float]] = {
    **{f"recall@{cut}": _recall(cut) for cut in CUTS},
    "MRR": lambda rank: 1 / rank if rank else 0.0,
}


def area(right: Iterable[float], wrong: Iterable[float]) -> float:
    """How often a right one has the higher score, of all pairs (AUC)."""
    scored = sorted([(score, True) for score in right] + [(score, False) for score in wrong])
    ranks, index = dict[float, float](), 0
    while index < len(scored):
        end = index
        while end < len(scored) and scored[end][0] == scored[index][0]:
            end += 1
        ranks[scored[index][0]] = (index + 1 + end) / 2
        index = end
    number = sum(is_right for _, is_right in scored)
    total = sum(ranks[score] for score, is_right in scored if is_right)
    return (total - number * (number + 1) / 2) / (number * (len(scored) - number))


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
