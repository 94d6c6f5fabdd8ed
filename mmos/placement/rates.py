"""Learns how fast each host is with each model. A host that never tried a model is estimated from what it did with others, and others did with the model."""

from __future__ import annotations

import math
from collections.abc import Mapping

MOST_CHANGE = math.log(3.0)
"""A single sample changes an estimate at most threefold."""
STEADY = 0.2
"""The weight of a new sample, when there were many."""
SETTLED = 3
"""After so many samples a pair no longer changes the factors of its host and its model."""
MODEL_TRUST = 3.0
"""The prior of a model comes from its size and is worth this many samples. The prior of a host is a guess, worth one."""
MOST_TRUST = 20.0
TRUSTED = 5
"""What an earlier run learned counts at most as so many samples, because machines change."""
MOST_JOBS = 4096
MOST_KINDS = 4096
"""Kinds of calls whose answers are remembered. Those that came longest ago are forgotten."""
FADING = 0.97
UNSURE = 1.0


class Rate:
    """A quantity for each host and model: a prior for the model, times a factor of all hosts, one of the host, and one of the model."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], tuple[float, int]] = {}
        self._hosts: dict[str, tuple[float, float]] = {}
        self._models: dict[str, tuple[float, float]] = {}
        self._all = 0.0, 1.0

    def estimate(self, host: str, model: str, prior: float) -> float:
        known = self._pairs.get((host, model))
        if known is not None:
            return math.exp(known[0])
        of_host, of_model = self._hosts.get(host, (0.0, 1.0))[0], self._models.get(model, (0.0, MODEL_TRUST))[0]
        return prior * math.exp(self._all[0] + of_host + of_model)

    def tried(self, host: str, model: str) -> bool:
        return (host, model) in self._pairs

    def known(self, host: str, model: str) -> tuple[float, int] | None:
        """The estimate of a pair that was tried, with the number of its samples."""
        known = self._pairs.get((host, model))
        return (math.exp(known[0]), known[1]) if known else None

    def recall(self, host: str, model: str, prior: float, value: float, count: int) -> None:
        """Take the estimate of an earlier run."""
        self._pairs[host, model] = math.log(value), min(count, TRUSTED)
        self._share(host, model, math.log(value / prior))

    def learn(self, host: str, model: str, prior: float, value: float) -> bool:
        """Take a sample. Returns whether estimates for other pairs changed, too."""
        if value <= 0:
            return False
        sample = math.log(value)
        known, count = self._pairs.get((host, model), (sample, 0))
        change = max(-MOST_CHANGE, min(MOST_CHANGE, sample - known))
        self._pairs[host, model] = known + max(STEADY, 1.0 / (count + 1)) * change, count + 1
        if count >= SETTLED:
            return False
        self._share(host, model, sample - math.log(prior))
        return True

    def _share(self, host: str, model: str, distance: float) -> None:
        """Divide what the prior missed between all hosts, the host, and the model: the one with fewer samples gets more of it."""
        of_host, host_trust = self._hosts.get(host, (0.0, 1.0))
        of_model, model_trust = self._models.get(model, (0.0, MODEL_TRUST))
        of_all, all_trust = self._all
        missed = (distance - of_all - of_host - of_model) / (1.0 / all_trust + 1.0 / host_trust + 1.0 / model_trust)
        self._all = of_all + missed / all_trust, min(MOST_TRUST, all_trust + 1.0)
        self._hosts[host] = of_host + missed / host_trust, min(MOST_TRUST, host_trust + 1.0)
        self._models[model] = of_model + missed / model_trust, min(MOST_TRUST, model_trust + 1.0)


class Lengths:
    """How many tokens the answers of each kind of call have."""

    def __init__(self, prior: float) -> None:
        self._prior = prior
        self._means: dict[tuple[str, str], tuple[float, int]] = {}

    def estimate(self, model: str, kind: str) -> float:
        known = self._means.get((model, kind)) or self._means.get((model, ""))
        return known[0] if known else self._prior

    def of(self, model: str) -> Mapping[str, tuple[float, int]]:
        """By kind: the mean, and the number of samples."""
        return {kind: known for (name, kind), known in self._means.items() if name == model}

    def recall(self, model: str, kind: str, mean: float, count: int) -> None:
        """Take the mean of an earlier run."""
        self._means.setdefault((model, kind), (mean, min(count, TRUSTED)))

    def learn(self, model: str, kind: str, tokens: float) -> None:
        for key in ((model, kind), (model, "")) if kind else ((model, ""),):
            mean, count = self._means.pop(key, (tokens, 0))
            self._means[key] = mean + max(STEADY / 2, 1.0 / (count + 1)) * (tokens - mean), count + 1
        if len(self._means) > MOST_KINDS:
            del self._means[next(iter(self._means))]


class Flow:
    """A rate of arrivals that forgets: events a second."""

    __slots__ = ("_at", "_rate", "_span")

    def __init__(self, span: float) -> None:
        self._span = span
        self._rate = 0.0
        self._at = 0.0

    def count(self, now: float) -> None:
        self._rate = self.rate(now) + 1.0 / self._span
        self._at = now

    def rate(self, now: float) -> float:
        return self._rate * math.exp(min(0.0, self._at - now) / self._span) if self._rate else 0.0


class Sequence:
    """Learns which model is wanted after which, by the calls of the same job."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        """The model that answered each job last."""
        self._ends: dict[str, float] = {}
        self._next: dict[str, dict[str, float]] = {}

    def finished(self, job: str, model: str) -> None:
        self._last.pop(job, None)
        self._last[job] = model
        if len(self._last) > MOST_JOBS:
            del self._last[next(iter(self._last))]
        self._ends[model] = self._ends.get(model, 0.0) * FADING + 1.0
        for follower in self._next.get(model, ()):
            self._next[model][follower] *= FADING

    def wanted(self, job: str, model: str) -> None:
        last = self._last.get(job)
        if last is not None:
            followers = self._next.setdefault(last, {})
            followers[model] = followers.get(model, 0.0) + 1.0

    def after(self, model: str) -> Mapping[str, float]:
        """How many calls to each model follow one to this model."""
        return {name: count / (self._ends[model] + UNSURE) for name, count in self._next.get(model, {}).items()}

    def known(self, model: str) -> tuple[float, Mapping[str, float]] | None:
        """How many calls to a model have ended, with less weight for older ones, and how many to each other one followed. None: no call to it has ended."""
        return (self._ends[model], self._next.get(model, {})) if model in self._ends else None

    def recall(self, model: str, calls: float, followers: Mapping[str, float]) -> None:
        """Take the counts of an earlier run, with as much weight as a few calls."""
        if model not in self._ends and model not in self._next:
            weight = min(1.0, TRUSTED / calls)
            self._ends[model] = calls * weight
            self._next[model] = {follower: count * weight for follower, count in followers.items()}
