"""Trains the table of `mmos classify` on the requests of `scripts/tasks`: `python scripts/train_classifier.py [--write]`."""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path

from mmos.choice.features import features_of, tokens_of
from mmos.choice.own_classes import FILE as WORDS
from mmos.choice.own_classes import UNIT as UNIT_OF_WORDS
from mmos.choice.own_classes import words_in
from mmos.choice.request import read_request
from mmos.choice.weights import FILE, UNIT
from mmos.config.facts import TASK_CLASSES

REQUESTS = Path(__file__).parent / "tasks"
FOLDS = 5
TIMES = 3
"""How often the places of a pattern are filled."""
FEWEST = {"w:": 3, "b:": 4}
"""In how many patterns a word or a pair of words has to stand: the words of one pattern are chance."""
WEIGHT_OF_WORDS = 0.7
"""A single word counts less than what is known of a group of words."""
ROUNDS = 25
RATE = 0.3
DECAY = 0.5
DOUBT = 0.03
"""The share of requests that somebody else would have put into another class."""
EASE = 0.92
"""Requests of users resemble some pattern more than patterns that begin differently resemble each other. Measured on `tests/golden`, which the training never sees."""
LEAST = 12
"""Rows with a smaller range, in hundredths, are left out of the table."""

Names = Sequence[str]


@dataclass(frozen=True)
class Example:
    """A request with its class."""

    kind: int
    features: Names
    pattern: int
    """Which line of the file it was made from."""
    weight: float


@dataclass(frozen=True)
class Model:
    """A linear model: for each feature a weight for each class."""

    bias: list[float]
    weights: Mapping[str, list[float]]

    def scores(self, features: Iterable[str]) -> list[float]:
        scores = list(self.bias)
        for row in (self.weights[name] for name in features if name in self.weights):
            scores = [score + weight for score, weight in zip(scores, row, strict=True)]
        return scores


def places() -> dict[str, list[str]]:
    """What can stand in the places of a pattern, such as `{language}`."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (REQUESTS / "slots.txt").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            name = heading[1]
        elif line:
            found.setdefault(name, []).append(_unescaped(line))
    return found


def patterns() -> list[tuple[int, str]]:
    """The lines of all files, with the index of their class."""
    return [
        (index, _unescaped(line))
        for index, name in enumerate(TASK_CLASSES)
        for line in (REQUESTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


def _unescaped(line: str) -> str:
    return line.replace("\\n", "\n").replace("\\t", "\t")


def examples(lines: Sequence[tuple[int, str]], chance: random.Random, times: int = TIMES) -> list[Example]:
    words = places()
    found: list[Example] = []
    for number, (kind, line) in enumerate(lines):
        count = times if "{" in line else 1
        texts = {_varied(_filled(line, words, chance), chance) for _ in range(count)}
        found += [Example(kind, _features(text), number, 1 / sqrt(len(texts))) for text in sorted(texts)]
    return found


def _features(text: str) -> Names:
    request = read_request(text)
    return tuple(features_of(request, tokens_of(request)))


def _filled(line: str, words: Mapping[str, Sequence[str]], chance: random.Random) -> str:
    return re.sub(r"\{(\w+)\}", lambda place: chance.choice(words[place[1]]) if place[1] in words else place[0], line)


def _varied(text: str, chance: random.Random) -> str:
    """Some people write no capitals, or leave out the last sign."""
    share = chance.random()
    if share < 0.15:
        return text[:1].lower() + text[1:]
    if share < 0.2:
        return text.lower()
    return text[:-1] if share < 0.3 and text.endswith((".", "?", "!")) else text


def train(given: Sequence[Example], chance: random.Random) -> Model:
    """Logistic regression by stochastic gradient descent, with a step of its own for each weight."""
    count = len(TASK_CLASSES)
    counts = Counter(name for example in given for name in example.features)
    names = _common(given)
    weights = {name: [0.0] * count for name in names}
    squares = {name: [0.01] * count for name in names}
    bias = [0.0] * count
    balance = _balance(given)
    order = [(example, [name for name in example.features if name in names]) for example in given]
    for number in range(ROUNDS):
        chance.shuffle(order)
        rate = RATE * (1 - number / ROUNDS) + 0.01
        for example, known in order:
            slopes = _slopes(example, _scores(bias, weights, known), balance)
            bias = [one - rate * 0.02 * slope for one, slope in zip(bias, slopes, strict=True)]
            for name in known:
                _step(weights[name], squares[name], slopes, (_scale(name), DECAY / counts[name], rate))
    return Model(bias, {name: [weight * _scale(name) for weight in row] for name, row in weights.items()})


def _common(given: Sequence[Example]) -> set[str]:
    seen: dict[str, set[int]] = defaultdict(set)
    for example in given:
        for name in example.features:
            seen[name].add(example.pattern)
    return {name for name, lines in seen.items() if len(lines) >= FEWEST.get(name[:2], 3)}


def _scale(name: str) -> float:
    return WEIGHT_OF_WORDS if name.startswith(("w:", "b:")) or " " in name.partition("+")[0] else 1.0


def _balance(given: Sequence[Example]) -> list[float]:
    """Weights that make all classes equally frequent."""
    sums = [sum(example.weight for example in given if example.kind == kind) for kind in range(len(TASK_CLASSES))]
    return [sum(sums) / len(sums) / one if one else 0.0 for one in sums]


def _scores(bias: Sequence[float], weights: Mapping[str, Sequence[float]], known: Names) -> list[float]:
    scores = list(bias)
    for name in known:
        row, scale = weights[name], _scale(name)
        for kind, weight in enumerate(row):
            scores[kind] += weight * scale
    return scores


def _slopes(example: Example, scores: Sequence[float], balance: Sequence[float]) -> list[float]:
    count = len(scores)
    factor = example.weight * balance[example.kind]
    return [
        factor * (share - DOUBT / count - (1 - DOUBT if kind == example.kind else 0.0)) for kind, share in enumerate(shares(scores))
    ]  # fmt: skip


def _step(row: list[float], squares: list[float], slopes: Sequence[float], settings: tuple[float, float, float]) -> None:
    scale, decay, rate = settings
    for kind, slope in enumerate(slopes):
        change = slope * scale + decay * row[kind]
        squares[kind] += change * change
        row[kind] -= rate * change / sqrt(squares[kind])


def shares(scores: Sequence[float], heat: float = 1.0) -> list[float]:
    top = max(scores)
    powers = [exp((score - top) / heat) for score in scores]
    return [power / sum(powers) for power in powers]


Judged = list[tuple[int, list[float]]]
"""The class of each request, and its scores by a model that has not seen it."""


def judged(lines: Sequence[tuple[int, str]], seed: int) -> Judged:
    """Train on all parts but one, and judge that one, for each part."""
    starts = sorted({_start(line) for _, line in lines})
    random.Random(seed).shuffle(starts)
    folds = {start: number % FOLDS for number, start in enumerate(starts)}
    found: Judged = []
    for fold in range(FOLDS):
        kept = [line for line in lines if folds[_start(line[1])] == fold]
        others = [line for line in lines if folds[_start(line[1])] != fold]
        model = train(examples(others, random.Random(seed)), random.Random(seed))
        found += [(example.kind, model.scores(example.features)) for example in examples(kept, random.Random(seed), 1)]
    return found


def _start(line: str) -> str:
    """Patterns that begin alike are in the same part, as nobody repeats how a user begins."""
    return " ".join(line.lower().split()[:2])


def heat_of(found: Judged) -> float:
    """By what to divide the scores, so that the confidence is as high as the share of right answers."""
    return EASE * min(
        (number / 100 for number in range(50, 200, 2)), key=lambda heat: -sum(log(shares(scores, heat)[kind]) for kind, scores in found)
    )


def report(found: Judged, heat: float) -> str:
    rows: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for kind, scores in found:
        chances = shares(scores, heat)
        rows[min(9, int(max(chances) * 10))].append((max(chances), chances.index(max(chances)) == kind))
    right = sum(hit for row in rows.values() for _, hit in row)
    lines = [
        f"{right / len(found):.1%} of {len(found)} requests right, each by a model that has seen none that begins like it; heat {heat:.2f}"
    ]
    for row in (rows[tenth] for tenth in sorted(rows)):
        mean, hits = sum(confidence for confidence, _ in row) / len(row), sum(hit for _, hit in row)
        lines.append(f"said {mean:.0%} of {len(row):>4}: {hits / len(row):.0%} right")
    return "\n".join(lines)


def table(model: Model, heat: float) -> str:
    """The file that ships: one feature on each line."""
    rows = {name: [round(weight * UNIT / heat) for weight in row] for name, row in sorted(model.weights.items())}
    lines = [f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items() if max(row) - min(row) >= LEAST]
    bias = json.dumps([round(one * UNIT / heat) for one in model.bias])
    return f'{{"classes": {json.dumps(TASK_CLASSES)},\n"bias": {bias},\n"weights": {{\n' + ",\n".join(lines) + "\n}}\n"


def words(lines: Sequence[tuple[int, str]], chance: random.Random) -> str:
    """The file of usual words: how frequent each is in the class where it is most frequent."""
    slots, counts = places(), [Counter[str]() for _ in TASK_CLASSES]
    for kind, line in lines:
        counts[kind].update(words_in(_filled(line, slots, chance)).keys())
    sizes = Counter(kind for kind, _ in lines)
    common = {word: sum(count[word] for count in counts) for count in counts for word in count}
    frequent = {
        word: max(round(UNIT_OF_WORDS * count[word] / (sizes[kind] + 1)) for kind, count in enumerate(counts))
        for word, number in sorted(common.items())
        if number > 1 or " " not in word
    }
    return json.dumps(frequent, separators=(",", ":")).replace(',"', ',\n"') + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the parts and of what fills the places")
    arguments = parser.parse_args()
    lines = patterns()
    found = judged(lines, arguments.seed)
    heat = heat_of(found)
    print(report(found, heat))
    model = train(examples(lines, random.Random(arguments.seed)), random.Random(arguments.seed))
    text = table(model, heat)
    print(f"{len(lines)} patterns, {len(json.loads(text)['weights'])} features, {len(text):,} bytes")
    if arguments.write:
        FILE.write_text(text, encoding="utf-8")
        WORDS.write_text(words(lines, random.Random(arguments.seed)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
