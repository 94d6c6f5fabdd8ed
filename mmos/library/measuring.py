"""Measures how well passages answer questions: a plain BM25 to compare with, and how sure a difference is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from random import Random

RESAMPLES = 2_000
K, B = 1.2, 0.75


class PlainBm25:
    """BM25 as everybody has it: no stems, no stop words left out, the text without its title."""

    def __init__(self, texts: Sequence[str]) -> None:
        split = [_words(text) for text in texts]
        mean = sum(map(len, split)) / max(1, len(split)) or 1.0
        self._held = [K * (1 - B + B * len(one) / mean) for one in split]
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, one in enumerate(split):
            for word, count in Counter(one).items():
                self._postings[word].append((number, count))

    def best(self, question: str, count: int) -> list[int]:
        """The numbers of the texts that fit best."""
        scores: dict[int, float] = defaultdict(float)
        for word in set(_words(question)):
            found = self._postings.get(word, [])
            weight = log(1 + (len(self._held) - len(found) + 0.5) / (len(found) + 0.5))
            for number, times in found:
                scores[number] += weight * times * (1 + K) / (times + self._held[number])
        return sorted(scores, key=lambda number: (-scores[number], number))[:count]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


@dataclass(frozen=True)
class Gain:
    """The mean difference of two ways on the same questions, with its 95 % intervals."""

    mean: float
    by_question: tuple[float, float]
    by_document: tuple[float, float]


def gain(differences: Sequence[float], documents: Sequence[str], seed: int) -> Gain:
    """Questions on one document are alike, so the interval by document is the honest one."""
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
