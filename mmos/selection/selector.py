"""Chooses among roles and models for a task: by a table, by a score, or by what outcomes have shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from mmos.selection.candidate import Candidate, Task
from mmos.selection.evidence import Belief, Evidence, Outcome
from mmos.selection.score import WEIGHTS, Terms, obstacle, score_of, terms_of
from mmos.selection.table import wanted

Choosing = Literal["rules", "score", "learning"]

DRAWS = 64
"""How often chance is asked which candidate could be the best."""
MOST_TRIED = 0.5
"""The most likely that somebody is chosen who is not the best one, as far as is known."""
KNOWN = 12.0
"""A candidate with so many outcomes is tried only as often as the square of the chance that it is the best. With none, as often as that chance."""
CURIOUS = 0.01
"""How likely a candidate without outcomes is tried at least."""
FEW = 10.0
"""With so many outcomes, a tenth of that."""
UNKNOWN = 8.0
"""With fewer outcomes, a candidate is tried although it seems to be worse."""
DOUBT = 1.64
"""Deviations from the mean: nine times in ten the true share is within them."""
LEAST_EXPECTED, MOST_EXPECTED = 0.35, 0.75
"""What is expected of candidates without outcomes, from the lowest score to the highest."""


@dataclass(frozen=True)
class Row:
    """One candidate of a choice, with what spoke for it."""

    candidate: Candidate
    terms: Terms
    score: float
    out: str = ""
    """Why it cannot be chosen. Empty: it can."""
    belief: Belief | None = None
    """What outcomes have shown. None: nobody asked."""
    chance: float = 0.0
    """How likely it was to be chosen."""


@dataclass(frozen=True)
class Choice:
    """Who works on a task, and why."""

    rows: tuple[Row, ...]
    """All candidates: first the chosen one, then those that would be next, then those that cannot be chosen."""
    by: Choosing
    why: tuple[str, ...] = ()
    missed: Row | None = None
    """The candidate that would be chosen if a host could serve it."""

    @property
    def chosen(self) -> Row | None:
        """None: no candidate can be chosen."""
        return next((row for row in self.rows if not row.out), None)

    @property
    def propensity(self) -> float:
        return 1.0 if self.chosen is None else self.chosen.chance


@dataclass
class Selector:
    """Chooses, and learns from outcomes.

    Example::

        selector = Selector.of("learning")
        choice = selector.choose(Task("bug_fixing", complexity=6), candidates, Random(7))
        selector.learn(Outcome("bug_fixing", choice.chosen.candidate.key, reward=1.0))
    """

    strategy: Choosing = "rules"
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    evidence: Evidence = field(default_factory=Evidence)

    @classmethod
    def of(cls, strategy: Choosing = "rules", weights: Mapping[str, float] | None = None, outcomes: Iterable[Outcome] = ()) -> Selector:
        """With the weights of `score` that are not the usual ones, and the outcomes so far, in their order."""
        return cls(strategy, {**WEIGHTS, **(weights or {})}, Evidence.of(outcomes))

    def learn(self, outcome: Outcome) -> None:
        """Take an outcome into account from now on."""
        self.evidence.learn(outcome)

    def choose(self, task: Task, candidates: Sequence[Candidate], chance: Random) -> Choice:
        """Who works on the task. Only `learning` asks chance, and only within bounds."""
        rows = [self._row(task, candidate) for candidate in candidates]
        rows.sort(key=lambda row: _by_score(row, task, self.strategy))
        able, unable = [row for row in rows if not row.out], [row for row in rows if row.out]
        missed = next((row for row in rows[:1] if row.candidate.fault), None)
        if not able:
            return Choice(tuple(unable), self.strategy, ("nobody can work on it now",), missed)
        if self.strategy == "learning":
            return replace(self._learned(task, able, unable, chance), missed=missed)
        able[0] = replace(able[0], chance=1.0)
        why = _by_table(task, able[0]) if self.strategy == "rules" else _by_terms(able)
        return Choice((*able, *unable), self.strategy, why, missed)

    def _row(self, task: Task, candidate: Candidate) -> Row:
        terms = terms_of(task, candidate)
        return Row(candidate, terms, score_of(task, terms, self.weights), obstacle(task, candidate))

    def _learned(self, task: Task, able: Sequence[Row], unable: Sequence[Row], chance: Random) -> Choice:
        beliefs = [self.evidence.belief(task.kind, row.candidate.key, hope) for row, hope in zip(able, expectations(able), strict=True)]
        shares = chances(beliefs, chance)
        rows = [replace(row, belief=belief, chance=share) for row, belief, share in zip(able, beliefs, shares, strict=True)]
        (chosen,) = chance.choices(rows, weights=shares)
        rest = sorted((row for row in rows if row is not chosen), key=lambda row: -(row.belief.mean if row.belief else 0.0))
        return Choice((chosen, *rest, *unable), "learning", _by_outcomes(task, chosen, rest))


def _by_score(row: Row, task: Task, strategy: Choosing) -> tuple[float | bool | str, ...]:
    """The order of candidates, the best first. The name decides between equals, so that the order of the list does not."""
    one = row.candidate
    if strategy == "rules":
        share = row.terms.match if wanted(task) else 0.0
        return -round(share, 9), not one.usual, not one.role, not one.loaded, -(one.parameters or 0.0), one.name
    return -round(row.score, 9), not one.usual, not one.role, one.name, one.model


def expectations(able: Sequence[Row]) -> list[float]:
    """What is expected of candidates before any outcome, by their scores."""
    low, high = min(row.score for row in able), max(row.score for row in able)
    middle = (LEAST_EXPECTED + MOST_EXPECTED) / 2
    if high - low < 1e-9:
        return [middle for _ in able]
    return [LEAST_EXPECTED + (MOST_EXPECTED - LEAST_EXPECTED) * (row.score - low) / (high - low) for row in able]


def chances(beliefs: Sequence[Belief], chance: Random) -> list[float]:
    """How likely each candidate is to be chosen: the likelier, the more likely it is the best one."""
    best = max(range(len(beliefs)), key=lambda place: beliefs[place].mean)
    wins = [0] * len(beliefs)
    for _ in range(DRAWS):
        drawn = [chance.gauss(belief.mean, belief.deviation) for belief in beliefs]
        wins[max(range(len(drawn)), key=drawn.__getitem__)] += 1
    tried = [
        _trying(win / DRAWS, belief) if place != best and may_be_best(belief, beliefs[best]) else 0.0
        for place, (win, belief) in enumerate(zip(wins, beliefs, strict=True))
    ]
    scale = min(1.0, MOST_TRIED / (sum(tried) or 1.0))
    return [1.0 - sum(tried) * scale if place == best else share * scale for place, share in enumerate(tried)]


def _trying(likely: float, belief: Belief) -> float:
    """How likely a candidate is tried that is so likely the best one. What has many outcomes is tried less, and what has few at least sometimes."""
    share: float = likely ** min(2.0, 1.0 + belief.outcomes / KNOWN)
    return max(share, CURIOUS * max(0.1, 1.0 - belief.outcomes / FEW))


def may_be_best(belief: Belief, best: Belief) -> bool:
    """Whether a candidate may be as good as the best one, as far as is known. Somebody who is little known may be."""
    return belief.outcomes < UNKNOWN or belief.mean + DOUBT * belief.deviation > best.mean


# ---------------------------------------------------------------- why


def _by_table(task: Task, row: Row) -> tuple[str, ...]:
    needs = wanted(task)
    has = [need for need in needs if need in row.candidate.capabilities]
    if not needs:
        return ("the table knows nothing that such a task needs",)
    if not has:
        return (f"nobody has {' or '.join(needs)}, which such a task needs",)
    lacks = [need for need in needs if need not in has]
    return (
        f"{row.candidate.name} has {' and '.join(has)}, which such a task needs",
        *([f"it lacks {' and '.join(lacks)}"] if lacks else []),
    )


def _by_terms(able: Sequence[Row]) -> tuple[str, ...]:
    first, *rest = able
    terms = first.terms
    told = f"score {first.score:.2f}: quality {terms.quality:.2f}, speed {terms.speed:.2f}, fit {terms.fit:.2f}, cost {terms.cost:.2f}"
    return (told, *(f"next: {row.candidate.name} with {row.score:.2f}" for row in rest[:1]))


def _by_outcomes(task: Task, chosen: Row, rest: Sequence[Row]) -> tuple[str, ...]:
    belief = chosen.belief or Belief(0.0, 0.0, 0.0)
    told = f"{belief.mean:.0%} of its answers to {task.type or 'such tasks'} should be good, after {belief.outcomes:.0f} outcomes"
    better = next((row for row in rest if row.belief and row.belief.mean > belief.mean), None)
    if better is None or better.belief is None:
        return (told,)
    return (told, f"it is tried, to learn more: {better.candidate.name} is at {better.belief.mean:.0%}")
