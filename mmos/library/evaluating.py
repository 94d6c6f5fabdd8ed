"""Measures on questions what each part of the search is worth in one collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mmos.library.library import Library
from mmos.library.measuring import Gain, PlainBm25, gain
from mmos.library.passages import Query
from mmos.library.questions import Question
from mmos.library.rows import Row

DEEPEST = 10
CUTS = (1, 5, 10)
PLAIN, WORDS = "plain BM25", "words"
WEIGHTS = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Way:
    """One way to search, and how well it does."""

    name: str
    recall: Mapping[int, float]
    """How many questions have a right passage among the first 1, 5 and 10."""
    mrr: float
    gain: Gain | None = None
    """Against the way before it that it builds on, at rank 5."""
    against: str = ""

    @property
    def verdict(self) -> str:
        if self.gain is None:
            return ""
        low, high = self.gain.by_document
        return "helps" if low > 0 else "hurts" if high < 0 else "no difference shown"


@dataclass(frozen=True)
class Evaluated:
    """What came of the measurement."""

    collection: str
    questions: int
    sources: int
    """Different sources with right answers."""
    made: bool
    """Whether the questions were made from the collection."""
    ways: tuple[Way, ...]
    passing: float
    """The part of the questions whose best passage reaches 0.7."""


async def evaluate(
    library: Library,
    collection: str,
    questions: Sequence[Question],
    *,
    made: bool,
    seed: int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> Evaluated:
    """Ask all questions in each way."""
    rows = await library.rows(collection)
    has_vectors = bool((await library.about(collection)).embedding)
    plain = PlainBm25([row.text for row in rows])
    weights = (0.0, *WEIGHTS) if has_vectors else (0.0,)
    ranks: dict[str, list[int]] = {name: [] for name in (PLAIN, *map(_name, weights))}
    passing = 0
    for number, question in enumerate(questions, 1):
        ranks[PLAIN].append(_rank(question, [rows[place] for place in plain.best(question.text, DEEPEST)]))
        for weight in weights:
            found = await library.search(collection, replace(Query(question.text, DEEPEST), weight=weight))
            passing += bool(not weight and found and found[0].score >= 0.7)
            ranks[_name(weight)].append(
                next((place for place, one in enumerate(found, 1) if question.met_by(one.source, one.start, one.end, one.text)), 0)
            )
        if on_step is not None:
            on_step(number, len(questions))
    documents = [question.source or str(number) for number, question in enumerate(questions)]
    ways = [_way(PLAIN, ranks[PLAIN])]
    ways.append(_way(WORDS, ranks[WORDS], PLAIN, ranks[PLAIN], documents, seed))
    ways += [_way(_name(weight), ranks[_name(weight)], WORDS, ranks[WORDS], documents, seed) for weight in weights[1:]]
    return Evaluated(collection, len(questions), len(set(documents)), made, tuple(ways), passing / len(questions))


def _name(weight: float) -> str:
    return f"words + {weight:g} vectors" if weight else WORDS


def _rank(question: Question, rows: Sequence[Row]) -> int:
    return next((place for place, row in enumerate(rows, 1) if question.met_by(row.source, row.start, row.end, row.text)), 0)


def _way(
    name: str, ranks: Sequence[int], against: str = "", before: Sequence[int] = (), documents: Sequence[str] = (), seed: int = 0
) -> Way:
    recall = {cut: sum(0 < one <= cut for one in ranks) / len(ranks) for cut in CUTS}
    mrr = sum(1 / one for one in ranks if one) / len(ranks)
    if not against:
        return Way(name, recall, mrr)
    differences = [float(0 < one <= 5) - float(0 < other <= 5) for one, other in zip(ranks, before, strict=True)]
    return Way(name, recall, mrr, gain(differences, documents, seed), against)
