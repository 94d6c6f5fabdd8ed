"""Keeps how often each candidate did well in each class of tasks, and forgets what no longer holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import log, sqrt
from typing import NamedTuple

STRENGTH = 3.0
"""How many outcomes the expectation before any outcome is worth."""
SHARED = 0.5
"""How much an outcome in another class counts."""
MOST_SHARED = 40.0
"""The most outcomes that those of all other classes are worth together."""
RECENT = 24
"""How many of the newest outcomes are compared with the older ones."""
FEWEST = 4
"""The fewest outcomes that can show a change."""
CHANGED = 9.0
"""How much more likely a change must be than chance, as a logarithm, before older evidence is forgotten."""
TURNED = 5.0
"""The same for the outcomes of all classes together."""
DOUBTED = 3.0
"""How many outcomes the older evidence is still worth then, because the change may be chance."""
APART = 0.25
"""A smaller change of the share of good outcomes is taken for chance."""
REMAINS = 0.02
"""What remains of the evidence about a model that has changed, in each class."""
FADES = 0.9995
"""What remains of the evidence about a candidate, whenever another one of its class has an outcome."""
_EDGE = 0.02
"""No share is nearer to 0 or 1, because a few outcomes cannot show that."""


class Belief(NamedTuple):
    """How well a candidate will probably do: the mean and the deviation of its share of good outcomes."""

    mean: float
    deviation: float
    outcomes: float
    """How many outcomes of this class it comes from, faded ones less."""


class Outcome(NamedTuple):
    """How a candidate did in a task."""

    kind: str
    """The class of the task."""
    key: str
    """Of the candidate."""
    reward: float
    """From 0 to 1."""
    weight: float = 1.0
    """How much it says. A rating says more than an answer that nobody complained about."""


@dataclass
class Cell:
    """The outcomes of one candidate in one class."""

    good: float = 0.0
    count: float = 0.0
    seen: int = 0
    """Outcomes, faded or not."""
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=RECENT))
    """The newest, each with its weight."""

    def add(self, reward: float, weight: float) -> None:
        self.good += weight * reward
        self.count += weight
        self.seen += 1
        self.recent.append((reward, weight))

    def fade(self, part: float) -> None:
        self.good *= part
        self.count *= part

    def forget_old(self) -> bool:
        """Whether the newest outcomes differ from the older ones. If so, only the newest remain."""
        newest = _newest_change(self.recent, self.good, self.count)
        if newest is None:
            return False
        new_good, new_count = newest
        old_good, old_count = self.good - new_good, self.count - new_count
        part = min(1.0, DOUBTED / old_count)
        self.good, self.count = new_good + part * old_good, new_count + part * old_count
        self.recent.clear()
        return True


@dataclass
class Record:
    """The newest outcomes of one candidate in all classes, each with its weight and with what was expected of it."""

    recent: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def has_changed(self) -> bool:
        """Whether the newest outcomes, of all classes together, are not as expected."""
        got, hoped, count = 0.0, 0.0, 0.0
        for reward, weight, expected in reversed(self.recent):
            got, hoped, count = got + weight * reward, hoped + weight * expected, count + weight
            if count >= FEWEST and abs(got - hoped) > APART * count and count * _distance(got / count, hoped / count) > TURNED:
                return True
        return False


@dataclass
class Evidence:
    """What outcomes have shown. It is made of outcomes alone, in their order."""

    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    """By class and candidate."""
    records: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Evidence:
        evidence = cls()
        for outcome in outcomes:
            evidence.learn(outcome)
        return evidence

    def learn(self, outcome: Outcome) -> None:
        reward, weight = min(1.0, max(0.0, outcome.reward)), max(0.0, outcome.weight)
        cell = self.cells.setdefault((outcome.kind, outcome.key), Cell())
        record = self.records.setdefault(outcome.key, Record())
        expected = self.belief(outcome.kind, outcome.key, 0.5).mean
        for (kind, key), other in self.cells.items():
            if kind == outcome.kind and key != outcome.key:
                other.fade(FADES)
        cell.add(reward, weight)
        if cell.seen > FEWEST:
            record.recent.append((reward, weight, expected))
        cell.forget_old()
        if record.has_changed() and sum(key == outcome.key for _, key in self.cells) > 1:
            self._forget(outcome.key)

    def _forget(self, key: str) -> None:
        """A model has changed, so what it did before says little."""
        for (_, other), cell in self.cells.items():
            if other == key:
                cell.fade(REMAINS)
                cell.recent.clear()
        self.records[key].recent.clear()

    def belief(self, kind: str, key: str, expected: float) -> Belief:
        """How well a candidate will probably do in a class. `expected`: what is known of it without any outcome."""
        cell = self.cells.get((kind, key), Cell())
        others = [other for (elsewhere, one), other in self.cells.items() if one == key and elsewhere != kind]
        count = sum(other.count for other in others)
        shared = min(MOST_SHARED, SHARED * count)
        share = sum(other.good for other in others) / count if count else 0.0
        good = STRENGTH * expected + shared * share + cell.good
        count = STRENGTH + shared + cell.count
        mean = min(1.0, max(0.0, good / count))
        return Belief(mean, sqrt(max(_EDGE, mean * (1.0 - mean)) / (count + 1.0)), cell.count)

    def rows(self) -> Iterator[tuple[str, str, float, float]]:
        """The class, the candidate, its share of good outcomes, and their count."""
        for (kind, key), cell in sorted(self.cells.items()):
            if cell.count > 0:
                yield kind, key, cell.good / cell.count, cell.count


def _newest_change(recent: Iterable[tuple[float, float]], good: float, count: float) -> tuple[float, float] | None:
    """The good ones and the number of the newest outcomes, if they differ from the older ones. None: they do not."""
    new_good, new_count = 0.0, 0.0
    for reward, weight in reversed(list(recent)):
        new_good, new_count = new_good + reward * weight, new_count + weight
        old_good, old_count = good - new_good, count - new_count
        if old_count < FEWEST:
            return None
        if new_count < FEWEST:
            continue
        middle = (new_good + old_good) / (new_count + old_count)
        if abs(new_good / new_count - old_good / old_count) < APART:
            continue
        apart = new_count * _distance(new_good / new_count, middle) + old_count * _distance(old_good / old_count, middle)
        if apart > CHANGED:
            return new_good, new_count
    return None


def _distance(share: float, other: float) -> float:
    """How surprising a share is where the other was expected, for each outcome."""
    one, two = (min(1.0 - _EDGE, max(_EDGE, value)) for value in (share, other))
    return one * log(one / two) + (1.0 - one) * log((1.0 - one) / (1.0 - two))
