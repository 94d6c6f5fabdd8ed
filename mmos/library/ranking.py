"""Puts the pieces that a full-text index found into the order in which they fit a question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TypeVar

from mmos.library.frequencies import Frequencies
from mmos.library.words import STOP, sentences, stem, stems_of, words

ADJACENT, NEAR, SENTENCE = 0.3, 0.15, 0.5
"""What pairs of stems side by side, pairs close together, and the best sentence count beside single words. Half or twice as much changes little."""
CLOSE = 8
"""Words apart, stop words left out."""
K, B = 0.9, 0.4
"""How fast more of the same word stops to count, and how much long texts are held back (BM25)."""
FEW = 2
"""As if twice as many more pieces were there, and half of them had the word."""
CEILING = 1 + K
"""What a word can reach, in parts of its weight."""

ENOUGH = 0.7
"""The score at which a collection probably has the answer, and the default of `similarity_threshold`. On 913 questions, 91 % of those
with an answer reached it, and 47 % of those whose document was left out."""

_ASKING = stems_of(
    [
        "how",
        "what",
        "why",
        "when",
        "where",
        "who",
        "whom",
        "whose",
        "which",
        "do",
        "does",
        "did",
        "can",
        "could",
        "should",
        "would",
        "may",
        "might",
        "must",
        "have",
        "has",
        "had",
        "i",
        "me",
        "my",
        "we",
        "our",
        "us",
        "you",
        "your",
        "tell",
        "say",
        "show",
        "give",
        "find",
        "explain",
        "describe",
        "please",
        "about",
        "long",
        "many",
        "much",
        "there",
        "any",
        "some",
    ]
)
"""Stems with which people ask. If no document of a collection has them, none needs them to have the answer."""

Pair = tuple[str, str]
_Term = TypeVar("_Term", str, Pair)


@dataclass(frozen=True)
class _Text:
    """What of a text fits the question."""

    exact: Counter[str]
    stems: Counter[str]
    adjacent: Counter[Pair]
    near: Counter[Pair]
    length: int
    stems_length: int
    sentences: list[tuple[Counter[str], int]]


def rank(question: str, texts: Sequence[str], frequencies: Frequencies) -> list[float]:
    """How well each text fits, from 0 to 1. `frequencies`: of the whole collection."""
    asked = _Question(question, texts, frequencies)
    return [asked.share(score) for score in asked.scores()]


def weight_of(count: int, pieces: int) -> float:
    """What a word says that stands in `count` of all pieces: rare words say more (the idf of BM25).

    Some pieces more count on both sides: in a collection of a few texts, a word that is in none of them is not much rarer than others.
    """
    count, pieces = min(count, pieces) + FEW, pieces + 2 * FEW
    return log(1 + (pieces - count + 0.5) / (count + 0.5))


class _Question:
    """A question, and the texts that may have its answer."""

    def __init__(self, question: str, texts: Sequence[str], frequencies: Frequencies) -> None:
        found = words(question)
        self.stems = [stem(word) for word in found if word not in STOP]
        self.exact = set(found)
        self.adjacent = {pair for pair in pairwise(self.stems) if pair[0] != pair[1]}
        self.near = {_ordered(one, other) for i, one in enumerate(self.stems) for other in self.stems[i + 1 :] if one != other}
        self._pieces = max(frequencies.pieces, len(texts), 1)
        self._mean = max(frequencies.length / self._pieces, 1.0)
        self._stems_mean = max(frequencies.stems_length / self._pieces, 1.0)
        self._weights = {word: self._weight(frequencies.of_word(word)) for word in self.exact}
        self._stem_weights = {one: self._weight(frequencies.of_stem(one)) for one in set(self.stems)}
        self._unneeded = {one for one in _ASKING.intersection(self.stems) if not frequencies.of_stem(one)}
        self._texts = self._read(texts)

    def _weight(self, count: int) -> float:
        return weight_of(count, self._pieces)

    def _read(self, texts: Sequence[str]) -> list[_Text]:
        split = [[words(sentence) for sentence in sentences(text)] for text in texts]
        wanted = self._wanted({word for parts in split for part in parts for word in part})
        return [self._looked_at(parts, wanted) for parts in split]

    def _wanted(self, vocabulary: Iterable[str]) -> dict[str, str]:
        """The stem of each word that has a stem of the question. A stem begins as its words do, so that few words must be looked at."""
        stems = set(self.stems)
        begins = {one[:2] for one in stems} | {f"{one[0]}y" for one in stems if one[1:2] == "i"}  # dying: die
        return {word: stem(word) for word in vocabulary if word[:2] in begins and word not in STOP and stem(word) in stems}

    def _looked_at(self, parts: Sequence[Sequence[str]], wanted: Mapping[str, str]) -> _Text:
        exact, stems, places, told = Counter[str](), Counter[str](), list[tuple[int, str]](), list[tuple[Counter[str], int]]()
        place = 0
        for part in parts:
            content = [word for word in part if word not in STOP]
            here = [(place + i, wanted[word]) for i, word in enumerate(content) if word in wanted]
            place += len(content)
            exact.update(word for word in part if word in self.exact)
            if here:
                counted = Counter(one for _, one in here)
                stems.update(counted)
                told.append((counted, len(content)))
                places += here
        adjacent, near = self._pairs(places)
        return _Text(exact, stems, adjacent, near, sum(map(len, parts)), place, told)

    def _pairs(self, places: Sequence[tuple[int, str]]) -> tuple[Counter[Pair], Counter[Pair]]:
        adjacent, near = Counter[Pair](), Counter[Pair]()
        for i, (place, one) in enumerate(places):
            for other_place, other in places[i + 1 :]:
                if other_place - place >= CLOSE:
                    break
                if other_place - place == 1 and (one, other) in self.adjacent:
                    adjacent[one, other] += 1
                if one != other:
                    near[_ordered(one, other)] += 1
        return adjacent, near

    def scores(self) -> list[float]:
        adjacent = self._pair_weights(text.adjacent for text in self._texts)
        near = self._pair_weights(text.near for text in self._texts)
        return [
            _sum(text.stems, self._stem_weights, text.stems_length / self._stems_mean)
            + _sum(text.exact, self._weights, text.length / self._mean)
            + ADJACENT * _sum(text.adjacent, adjacent, text.stems_length / self._stems_mean)
            + NEAR * _sum(text.near, near, 1.0)
            + SENTENCE
            * max((_sum(counted, self._stem_weights, length / self._stems_mean) for counted, length in text.sentences), default=0.0)
            for text in self._texts
        ]

    def _pair_weights(self, counted: Iterable[Counter[Pair]]) -> dict[Pair, float]:
        return {pair: self._weight(count) for pair, count in Counter(pair for one in counted for pair in one).items()}

    def share(self, score: float) -> float:
        """A score from 0 to 1. A text in which each stem of the question stands once, and little more, gets about `ENOUGH`."""
        asked = [weight for one, weight in self._stem_weights.items() if one not in self._unneeded]
        most = CEILING * sum(asked) or CEILING * sum(self._stem_weights.values()) or CEILING * sum(self._weights.values())
        return 1 - (1 - ENOUGH) ** (score / most) if most else 0.0


def _ordered(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


def _sum(counted: Mapping[_Term, int], weights: Mapping[_Term, float], length: float) -> float:
    """The sum of BM25. `length`: in parts of the mean length."""
    held = K * (1 - B + B * length)
    return sum(weights[one] * count * CEILING / (count + held) for one, count in counted.items())
