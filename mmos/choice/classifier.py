"""Says which class of tasks a text belongs to, how sure that is, and which words speak for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from mmos.choice.complexity import BASE, UNKNOWN, complexity_of
from mmos.choice.doubting import doubt_about
from mmos.choice.features import BOTH, SIGNS, Features, features_of, tokens_of
from mmos.choice.languages import languages_of
from mmos.choice.lexicon import words_of as _words
from mmos.choice.needs import needs_of
from mmos.choice.own_classes import Defined, OwnClass, Words, own_classes_of, words_of
from mmos.choice.request import ENDS, read_request
from mmos.choice.weights import UNIT, Weights, shipped
from mmos.prompting.budget import estimate

SURE = 0.5
"""Below this confidence the class is a guess, and rules do not see it."""
SUREST = 0.995
"""No text is beyond doubt."""
SAMPLES, SAMPLE = 8, 2_500
"""How many parts of a long text are read to estimate its tokens, and the characters of each."""
MOST_REASONS = 5
LONGEST_REASON = 60
"""Characters of a word, or of a pair, that a reason shows: a line of code without spaces is one word."""
LEAST_REASON = 0.5
_PLAIN = _words("a an the and or of to in on is it i that this with for from as at be by when if then than so ? ! :")
"""Words that tell a user nothing, though they may count."""


@dataclass(frozen=True)
class Classification:
    """What a text asks for."""

    type: str | None
    """The likeliest class of tasks; None if the text says nothing."""
    confidence: float
    """How often a class that is said so surely is right."""
    complexity: int
    """From 1 to 10."""
    requires_speed: bool
    context_tokens: int
    """An estimate of the tokens of the text."""
    languages: tuple[str, ...]
    needs_tools: bool
    needs_vision: bool
    needs_long_context: bool
    why: tuple[str, ...]
    """What speaks for the class, the strongest first, and what the other values come from."""
    chances: Mapping[str, float]
    """How likely each class is."""

    @property
    def sure(self) -> bool:
        return self.type is not None and self.confidence >= SURE


class Classifier:
    """Knows the classes of MMOS, and those of a configuration."""

    def __init__(self, own: Sequence[OwnClass] = ()) -> None:
        self._own = tuple(own)
        self._bases = {**BASE, **{one.name: float(one.base_complexity) for one in own if one.base_complexity is not None}}

    def classify(self, text: str) -> Classification:
        request = read_request(text)
        tokens = tokens_of(request)
        features = features_of(request, tokens)
        weights = shipped()
        chances = chances_of(features, weights, doubt_about(request, tokens, features, weights.of))
        evidence = self._evidence(words_of(tokens)) if self._own else {}
        if self._own:
            chances = self._shared(chances, evidence)
        has_words = bool(request.code) or not ENDS.issuperset(request.words)
        kind = max(chances, key=chances.__getitem__) if has_words else None
        reasons = ["the text has no words"]
        if kind:
            reasons = _own_reasons(evidence[kind]) if kind in evidence else _reasons(features, weights, kind)
        tokens_in_text = _context_tokens(text)
        complexity, parts = complexity_of(self._bases.get(kind or "", UNKNOWN), request)
        needs = needs_of(request, tokens_in_text)
        reasons += [f"complexity {complexity}: {parts}"] + [f"{need.replace('_', ' ')}: {_quoted(words)}" for need, words in needs.items()]
        return Classification(
            type=kind,
            confidence=min(SUREST, round(chances[kind], 3)) if kind else 0.0,
            complexity=complexity,
            requires_speed="speed" in needs,
            context_tokens=tokens_in_text,
            languages=languages_of(request),
            needs_tools="tools" in needs,
            needs_vision="vision" in needs,
            needs_long_context="long_context" in needs,
            why=tuple(reasons),
            chances={name: round(chance, 3) for name, chance in chances.items()},
        )

    def _evidence(self, words: Words) -> dict[str, dict[str, float]]:
        """For each own class what the words of a text say about it, as they stand in the text."""
        return {one.name: {words[word]: weight for word, weight in one.evidence(words).items()} for one in self._own}

    def _shared(self, chances: Mapping[str, float], evidence: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The chances of all classes. The own ones take theirs from all others alike."""
        surest = max(chances.values())
        odds = {one.name: one.odds(evidence[one.name], surest) for one in self._own}
        whole = 1 + sum(odds.values())
        return {name: chance / whole for name, chance in chances.items()} | {name: one / whole for name, one in odds.items()}


_BUILT_IN = Classifier()


def classify(text: str) -> Classification:
    """What a text asks for, by the classes of MMOS alone."""
    return _BUILT_IN.classify(text)


def classifier_of(classes: Mapping[str, Defined]) -> Classifier:
    """A classifier that also knows the classes of a configuration (`routing.classes`). Keep it: it has read their examples."""
    return Classifier(own_classes_of(classes)) if classes else _BUILT_IN


def _context_tokens(text: str) -> int:
    """An estimate; for a long text by a few samples, so that no text takes long."""
    if len(text) <= SAMPLES * SAMPLE:
        return round(estimate(text))
    step = (len(text) - SAMPLE) // (SAMPLES - 1)
    sampled = sum(estimate(text[start : start + SAMPLE]) for start in range(0, step * SAMPLES, step))
    return round(sampled * len(text) / (SAMPLES * SAMPLE))


def chances_of(features: Features, weights: Weights, doubt: float = 1.0) -> dict[str, float]:
    scores = list(weights.bias)
    for name in features:
        if row := weights.of.get(name):
            scores = [score + weight for score, weight in zip(scores, row, strict=True)]
    top = max(scores)
    shares = [exp((score - top) / (UNIT * doubt)) for score in scores]
    whole = sum(shares)
    return {name: share / whole for name, share in zip(weights.classes, shares, strict=True)}


def _own_reasons(evidence: Mapping[str, float]) -> list[str]:
    """The words that speak most for an own class. A pair says nothing beside its words."""
    told = [words for words in evidence if evidence[words] > LEAST_REASON and words.lower() not in _PLAIN]
    told = [words for words in told if " " not in words or set(told).isdisjoint(words.split())]
    return [_quoted(words) for words in sorted(told, key=lambda one: -evidence[one])[:MOST_REASONS]]


def _reasons(features: Features, weights: Weights, kind: str) -> list[str]:
    """What speaks for a class more than for the others: the same words add up."""
    index = weights.classes.index(kind)
    sums: dict[str, float] = {}
    for name, words in features.items():
        row = weights.of.get(name)
        if row and not name.startswith(("no:", "size:")):
            parts = words.split(BOTH)  # a pair counts half for each of its words
            for part in parts:
                sums[part] = sums.get(part, 0) + (row[index] - sum(row) / len(row)) / len(parts)
    told = [part for part in sums if sums[part] > UNIT / 4 and not _PLAIN.issuperset(part.lower().split())]
    return [part if part in SIGNS else _quoted(part) for part in sorted(told, key=lambda one: -sums[one])[:MOST_REASONS]]


def _quoted(words: str) -> str:
    return f"'{words}'" if len(words) <= LONGEST_REASON else f"'{words[:LONGEST_REASON]}…'"
