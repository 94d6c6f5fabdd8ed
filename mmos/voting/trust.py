"""Learns how far each model is to be trusted, by group of questions, from answers of which the truth is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mmos.catalog.naming import billions, family

PRIOR = 10.0
"""So many answers count what is expected of a model before any is known."""
OF_GROUP = 20.0
"""So many answers of a group count what is known of the model in all groups."""
LEAST, MOST = 0.02, 0.98
_SMALL, _LARGE = 0.35, 0.75
"""What is expected of a model of 1 and of 100 billion parameters, if nothing is known."""


class Mark(NamedTuple):
    """Whether one answer was right."""

    group: str
    model: str
    right: bool


@dataclass(frozen=True)
class Trust:
    """The share of right answers that is expected of each model."""

    answers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By group and model. The group "" is all of them."""
    right: Mapping[tuple[str, str], int] = field(default_factory=dict)
    mean: float | None = None
    """The share of all answers that is right. None: none is known."""

    @classmethod
    def of(cls, marks: Iterable[Mark]) -> Trust:
        answers, right = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for mark in marks:
            for group in {"", mark.group}:
                answers[group, mark.model] += 1
                right[group, mark.model] += mark.right
        total = sum(count for (group, _), count in answers.items() if not group)
        return cls(answers, right, sum(count for (group, _), count in right.items() if not group) / total if total else None)

    def share(self, model: str, group: str = "") -> float:
        """The share of right answers that is expected of a model in a group."""
        overall = self._shrunk("", model, self._expected(model), PRIOR)
        return overall if not group else self._shrunk(group, model, overall, OF_GROUP)

    def weight(self, model: str, group: str = "", options: int = 4) -> float:
        """What its vote counts, if a wrong answer is one of so many: the logarithm of the odds that it is right."""
        share = min(max(self.share(model, group), LEAST), MOST)
        return max(math.log(share * max(options - 1, 1) / (1 - share)), 0.0)

    def weights(self, models: Mapping[str, str], group: str = "", options: int = 4) -> dict[str, float] | None:
        """What the votes count, by the names of the voters, which have these models. None: all the same, because none of them counts."""
        weights = {name: self.weight(model, group, options) for name, model in models.items()}
        return weights if any(weights.values()) else None

    def order(self, models: Iterable[str], group: str = "") -> list[str]:
        """The models, the most trusted first. Between equals, the order stays."""
        return sorted(models, key=lambda model: -self.share(model, group))

    def _shrunk(self, group: str, model: str, expected: float, weight: float) -> float:
        return (self.right.get((group, model), 0) + weight * expected) / (self.answers.get((group, model), 0) + weight)

    def _expected(self, model: str) -> float:
        """As good as the others are; if nothing is known of them, by the size in the name."""
        if self.mean is not None:
            return self.mean
        size = billions(model)
        if size is None:
            return (_SMALL + _LARGE) / 2
        return min(max(_SMALL + (_LARGE - _SMALL) * math.log10(max(size, 1.0)) / 2, _SMALL), _LARGE)


def is_of_other_family(model: str, than: str) -> bool:
    """Whether two models are likely to make other mistakes."""
    return family(model) != family(than)
