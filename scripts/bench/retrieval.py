"""Measures how well passages answer questions: plain BM25 to compare with, recall, intervals of differences, and the area under a curve."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from random import Random

CUTS = (1, 5, 10)
RESAMPLES = 2_000
K, B = 1.2, 0.75


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


class PlainBm25:
    """BM25 as everybody has it: no stems, no stop words left out, the text without its title."""

    def __init__(self, texts: Sequence[str]) -> None:
        split = [_plain_words(text) for text in texts]
        mean = sum(map(len, split)) / max(1, len(split))
        self._held = [K * (1 - B + B * len(one) / mean) for one in split]
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, one in enumerate(split):
            for word, count in Counter(one).items():
                self._postings[word].append((number, count))

    def best(self, question: str, count: int) -> list[int]:
        """The numbers of the texts that fit best."""
        scores: dict[int, float] = defaultdict(float)
        for word in set(_plain_words(question)):
            found = self._postings.get(word, [])
            weight = log(1 + (len(self._held) - len(found) + 0.5) / (len(found) + 0.5))
            for number, times in found:
                scores[number] += weight * times * (1 + K) / (times + self._held[number])
        return sorted(scores, key=lambda number: (-scores[number], number))[:count]


def _plain_words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _recall(cut: int) -> Callable[[int], float]:
    return lambda rank: float(0 < rank <= cut)


MEASURES: Mapping[str, Callable[[int], float]] = {
    **{f"recall@{cut}": _recall(cut) for cut in CUTS},
    "MRR": lambda rank: 1 / rank if rank else 0.0,
}


@dataclass(frozen=True)
class Gain:
    """The mean difference of two ways on the same questions, with its 95 % intervals."""

    mean: float
    by_question: tuple[float, float]
    by_document: tuple[float, float]


def gain(differences: Sequence[float], documents: Sequence[str], seed: int) -> Gain:
    sums: dict[str, list[float]] = defaultdict(list)
    for one, document in zip(differences, documents, strict=True):
        sums[document].append(one)
    groups = [(sum(values), len(values)) for values in sums.values()]
    mean = sum(differences) / len(differences)
    return Gain(mean, _interval([(one, 1) for one in differences], seed), _interval(groups, seed))


def _interval(groups: Sequence[tuple[float, int]], seed: int) -> tuple[float, float]:
    """The percentile interval of the bootstrap over groups of questions."""
    random, means = Random(seed), list[float]()
    for _ in range(RESAMPLES):
        drawn = random.choices(groups, k=len(groups))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    return means[round(0.025 * RESAMPLES)], means[round(0.975 * RESAMPLES) - 1]


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
