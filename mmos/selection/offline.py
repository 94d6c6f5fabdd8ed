"""Says from the journal how well another way of choosing would have done: the choices that were made, with their propensities and outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from mmos.choice_events import TaskRouted
from mmos.events import Entry
from mmos.selection.evidence import Outcome
from mmos.selection.outcomes import Outcomes
from mmos.views.routes import mappings

RAREST = 0.02
"""A choice that was less likely counts as if it had been so likely: otherwise a single one would decide everything."""


class Logged(NamedTuple):
    """One choice of the journal, and how it turned out."""

    kind: str
    """The class of the task."""
    key: str
    """Of the candidate that was chosen."""
    propensity: float
    """How likely it was to be chosen."""
    reward: float
    """From 0 to 1."""
    keys: tuple[str, ...] = ()
    """Of all candidates that could have been chosen."""


class Value(NamedTuple):
    """The share of good outcomes that a way of choosing would have had."""

    mean: float
    error: float
    """The standard error of the mean. 0: there are too few choices to tell."""
    choices: int


Policy = Callable[[Logged], Mapping[str, float]]
"""How likely a way of choosing would choose each candidate, by its key."""


def logged(entries: Iterable[Entry], *, rehearsed: bool = False) -> list[Logged]:
    """The choices that have an outcome, in their order. `entries`: those of the kinds that outcomes need."""
    routes: dict[str, TaskRouted] = {}
    shown: defaultdict[str, list[Outcome]] = defaultdict(list)
    outcomes = Outcomes(rehearsed)
    for entry in entries:
        if isinstance(entry.event, TaskRouted):
            routes[entry.run] = entry.event
        for run, outcome in outcomes.with_runs([entry]):
            shown[run].append(outcome)
    return [_logged(routes[run], found) for run, found in shown.items() if run in routes]


def _logged(route: TaskRouted, outcomes: Sequence[Outcome]) -> Logged:
    weight = sum(outcome.weight for outcome in outcomes)
    reward = sum(outcome.weight * outcome.reward for outcome in outcomes) / weight if weight else 0.0
    keys = tuple(str(one.get("key", "")) for one in mappings(route.candidates) if not one.get("out"))
    return Logged(route.type or "", route.key, route.propensity, reward, keys or (route.key,))


def value_of(choices: Sequence[Logged], policy: Policy) -> Value:
    """What a way of choosing would have been worth on these choices (doubly robust).

    Where it would have chosen what was chosen, the outcome counts, the more the less likely the choice was. Elsewhere the mean of the
    candidate in that class stands in, so a candidate that was never chosen counts as one of which half of the outcomes are good.
    """
    means = _means(choices)
    worth = []
    for choice in choices:
        shares = policy(choice)
        expected = sum(share * means.get((choice.kind, key), 0.5) for key, share in shares.items())
        ratio = shares.get(choice.key, 0.0) / max(RAREST, choice.propensity)
        worth.append(expected + ratio * (choice.reward - means[choice.kind, choice.key]))
    if not worth:
        return Value(0.0, 0.0, 0)
    return Value(fmean(worth), stdev(worth) / sqrt(len(worth)) if len(worth) > 1 else 0.0, len(worth))


def _means(choices: Sequence[Logged]) -> dict[tuple[str, str], float]:
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for choice in choices:
        found[choice.kind, choice.key].append(choice.reward)
    return {place: fmean(rewards) for place, rewards in found.items()}


def always(key: str) -> Policy:
    """The same candidate for each task."""
    return lambda _choice: {key: 1.0}


def as_logged(choice: Logged) -> Mapping[str, float]:
    """What was chosen."""
    return {choice.key: 1.0}
