"""Compares sides that answered the same cases: how good each is, what it costs, and whether a difference is real."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from statistics import fmean

from mmos.comparing import pairing
from mmos.comparing.document import document
from mmos.comparing.outcome import Differing, Group, Pair, Standing
from mmos.comparing.ratio import Ratio, ratio_of
from mmos.comparing.scores import Cost, Preference, Score
from mmos.comparing.verdict import verdict_of

WITHIN = 0.03
"""A side is as good as another one if it is less than this worse."""


@dataclass(frozen=True)
class Comparison:
    """What came of a comparison. `verdicts` says it in sentences, and `document` as JSON.

    Example::

        comparison = await app.compare(["qwen2.5:14b", "llama3.2:3b"], cases)
        print(comparison.verdicts[0])
    """

    cases: Sequence[str]
    """The ids of the cases that count for at least one pair."""
    standings: Sequence[Standing]
    pairs: Sequence[Pair]
    failures: Sequence[Score]
    """The answers that did not come. They count as wrong."""
    groups: Sequence[Group] = ()
    """Where the sides are strong, if the cases are of several groups or types. So few cases are seldom proof."""
    notes: Sequence[str] = ()
    """What a reader should know before believing the figures."""

    @cached_property
    def verdicts(self) -> Sequence[str]:
        """A sentence or more for each pair."""
        return [verdict_of(pair).text for pair in self.pairs]

    def document(self) -> dict[str, object]:
        """The comparison as a JSON value."""
        return {**document(self.standings, self.pairs, self.failures, self.groups), "cases": len(self.cases), "notes": list(self.notes)}


def compare(
    scores: Sequence[Score],
    preferences: Sequence[Preference] = (),
    *,
    sides: Sequence[str],
    within: float = WITHIN,
    seed: int = 0,
    notes: Iterable[str] = (),
    groups: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare these sides. Several scores of one side for one case count as their mean, because a case is what was drawn by chance."""
    table = _Table(scores, preferences)
    pairs = [table.pair(a, b, within, seed) for a, b in combinations(sides, 2)]
    met = [pair for pair in pairs if pair is not None]
    adjusted = pairing.adjusted([pair.p for pair in met])
    met = [replace(pair, p=p) for pair, p in zip(met, adjusted, strict=True)]
    used = table.used(sides)
    failures = [score for score in scores if score.failed]
    return Comparison(
        used,
        [table.standing(side) for side in sides],
        met,
        failures,
        table.groups(sides, groups or {}),
        [*notes, *_notes(sides, used, met)],
    )


def _notes(sides: Sequence[str], used: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    found = []
    if len(sides) > 2:
        found.append(f"{len(pairs)} comparisons were made, so each needs a clearer difference: p allows for that (Holm).")
    partial = [pair for pair in pairs if pair.difference.cases < len(used)]
    found += [
        f"{pair.a} and {pair.b} have {pair.difference.cases} of the {len(used)} cases in common. The others do not count."
        for pair in partial
    ]
    return found


class _Table:
    """All scores by side and case."""

    def __init__(self, scores: Sequence[Score], preferences: Sequence[Preference]) -> None:
        self._costs: defaultdict[str, dict[str, list[Cost]]] = defaultdict(dict)
        self._failed: defaultdict[str, int] = defaultdict(int)
        listed: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for score in scores:
            self._costs[score.side].setdefault(score.case, []).append(score.cost)
            self._failed[score.side] += score.failed
            if score.score is not None:
                listed[score.side][score.case].append(score.score)
        self._scores = {side: {case: fmean(values) for case, values in cases.items()} for side, cases in listed.items()}
        self._preferences: defaultdict[tuple[str, str], defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for one in preferences:
            self._preferences[one.a, one.b][one.case].append(one.share)
            self._preferences[one.b, one.a][one.case].append(1 - one.share)
        self._is_share = all(0 <= value <= 1 for cases in self._scores.values() for value in cases.values())

    def used(self, sides: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(case for a, b in combinations(sides, 2) for case in self._both(a, b)))

    def _both(self, a: str, b: str) -> Mapping[str, tuple[float, float]]:
        """For each case that counts, what the two sides have of it."""
        mine, theirs = self._scores.get(a, {}), self._scores.get(b, {})
        both = {case: (score, theirs[case]) for case, score in mine.items() if case in theirs}
        judged = self._preferences[a, b].items()
        return {**both, **{case: (share := fmean(shares), 1 - share) for case, shares in judged if case not in both}}

    def pair(self, a: str, b: str, within: float, seed: int) -> Pair | None:
        """What two sides have in common. None: nothing."""
        both = self._both(a, b)
        if not both:
            return None
        found = pairing.difference([mine - theirs for mine, theirs in both.values()])
        differing = [Differing(case, mine, theirs) for case, (mine, theirs) in both.items() if mine != theirs]
        judged = sum(case not in self._scores.get(a, {}) or case not in self._scores.get(b, {}) for case in both)
        return Pair(a, b, found, found.p, self._cost_ratio(a, b, seed), differing, within, judged, self._is_share)

    def _cost_ratio(self, a: str, b: str, seed: int) -> Ratio | None:
        """The GPU-seconds of `b` as a part of those of `a`, on the cases for which both are known."""
        mine, theirs = self._gpu_seconds(a), self._gpu_seconds(b)
        spent = [(mine[case], theirs[case]) for case in mine if case in theirs]
        return ratio_of(spent, random.Random(seed))

    def _gpu_seconds(self, side: str) -> dict[str, float]:
        totals = {case: Cost.total(costs).gpu_seconds for case, costs in self._costs[side].items()}
        return {case: seconds for case, seconds in totals.items() if seconds is not None}

    def standing(self, side: str) -> Standing:
        values = list(self._values(side).values())
        low, high = pairing.share_interval(values) if values else (None, None)
        if low is not None and high is not None and self._is_share:
            low, high = max(0.0, low), min(1.0, high)
        costs = [cost for costs in self._costs[side].values() for cost in costs]
        return Standing(
            side, len(values), fmean(values) if values else None, low, high, sum(values) if values and self._is_share else None,
            len(costs), self._failed[side], Cost.total(costs),
        )  # fmt: skip

    def groups(self, sides: Sequence[str], groups: Mapping[str, str]) -> list[Group]:
        """What each side has in each group, if there are several."""
        names = sorted({name for name in groups.values() if name})
        found = []
        for name in names if len(set(groups.values())) > 1 else ():
            values = {side: [value for case, value in self._values(side).items() if groups.get(case) == name] for side in sides}
            means = {side: fmean(listed) for side, listed in values.items() if listed}
            found.append(Group(name, sum(group == name for group in groups.values()), means))
        return found

    def _values(self, side: str) -> dict[str, float]:
        """What it has of each case: its score, or how often it was preferred to the others."""
        own = self._scores.get(side, {})
        judged: defaultdict[str, list[float]] = defaultdict(list)
        for (one, _), cases in self._preferences.items():
            for case, shares in cases.items() if one == side else ():
                judged[case] += shares
        return {**{case: fmean(shares) for case, shares in judged.items()}, **own}
