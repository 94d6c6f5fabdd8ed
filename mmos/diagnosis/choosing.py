"""Chooses among the lines of a log those that a reader should see within a number of characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from mmos.diagnosis import values
from mmos.diagnosis.cleaning import body
from mmos.diagnosis.marks import Kind
from mmos.diagnosis.scene import places

BEST = 10
AHEAD, BEHIND = 0.84, 0.74
"""How much of its value a line passes on to the next line, and to the line before."""
_NAMING = {
    Kind.CAUSE: 1.0,
    Kind.TEST: 0.95,
    Kind.ASSERTION: 0.95,
    Kind.WORDS: 0.8,
    Kind.SUMMARY: 0.55,
    Kind.MESSENGER: 0.3,
    Kind.NOTHING: 0.6,
    Kind.PLACE: 0.3,
}
"""How likely lines of each kind name the cause itself."""
ANOTHER = 0.92
_SHORT = 12
"""A line with fewer characters, such as `Expected:`, says nothing alone."""


@dataclass(frozen=True)
class Candidate:
    """A line of the log as the choice sees it."""

    number: int
    text: str
    cost: int
    """In characters, as it stands in the log, with its end."""


class Choice:
    """The value of each line, and what is taken for it."""

    def __init__(self, lines: Sequence[Candidate], known: Callable[[str], bool] | None = None) -> None:
        self._lines = lines
        texts = [line.text for line in lines]
        self._bodies = [body(text) for text in texts]
        where = places(texts, [line.number for line in lines])
        self._marks = values.marks(texts, self._bodies, where)
        self._own = values.values(self._marks, where, self._bodies, known)
        values.lift(self._own, self._marks, where, self._bodies)
        self._best = self._order()

    def best(self) -> list[int]:
        """The indexes of the lines that most likely name the cause, the likeliest first."""
        return self._best

    def within(self, characters: int) -> list[int]:
        """The indexes of the chosen lines, in the order of the log."""
        worth = self._spread()
        order = sorted(range(len(self._lines)), key=lambda index: -worth[index] / self._price(index))
        chosen: set[int] = set()
        left = characters
        for index in [*self._best, *order]:
            cost = self._lines[index].cost
            if index not in chosen and cost <= left and (cost <= characters // 4 or not chosen) and worth[index] > 0:
                chosen.add(index)
                left -= cost
        return sorted(chosen)

    def _price(self, index: int) -> float:
        """What a line costs. Short ones cost little less than a usual line; long ones must be worth it."""
        return float(max(60, self._lines[index].cost) ** 0.35)

    def _order(self) -> list[int]:
        """The likeliest first. Each further line of a kind must be likelier, so that a test stands beside what went wrong in it."""
        scores = {
            index: self._own[index] * _NAMING[mark.kind]
            for index, mark in enumerate(self._marks)
            if mark.kind in _NAMING and self._own[index] > 0 and len(self._bodies[index]) >= _SHORT
        }
        likely = nlargest(BEST * 10, scores, key=lambda index: (scores[index], -index))
        chosen: list[int] = []
        while likely and len(chosen) < BEST:
            kinds = Counter(self._marks[index].kind for index in chosen)
            best = max(likely, key=lambda index: (scores[index] * ANOTHER ** kinds[self._marks[index].kind], -index))
            likely.remove(best)
            chosen.append(best)
        return chosen

    def _spread(self) -> list[float]:
        """The worth of each line: its own value, or what is left of the value of a line near it."""
        ahead, behind = list(self._own), list(self._own)
        for index in range(1, len(ahead)):
            if self._lines[index].number == self._lines[index - 1].number + 1:
                ahead[index] = max(ahead[index], ahead[index - 1] * AHEAD)
        for index in range(len(behind) - 2, -1, -1):
            if self._lines[index].number == self._lines[index + 1].number - 1:
                behind[index] = max(behind[index], behind[index + 1] * BEHIND)
        return [max(one, other) for one, other in zip(ahead, behind, strict=True)]
