"""Learns from what hosts count how many tokens each model takes for a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import mul
from typing import Any

from mmos.names import canonical
from mmos.prompting.budget import LEAST, PARTS, USUAL, Counts, tokens_of

CHANGE = 0.02
"""New rates are worth an event if they change the estimate of a prompt by this share, and every change is one event."""
MISCOUNT = 16.0
"""The largest factor that MMOS takes over from a host's refusal. A larger one would make the prompts for other hosts seem too long."""
MOST = 4.0
"""The most tokens that a host can count for each token of the usual estimate. More is an error of the host."""
HIGHEST = 100.0
"""A rate beyond it is no rate."""
SHORTEST = 50.0
"""The count of a shorter prompt shows nothing: most of it is the model's template."""
NEAR = 0.004
"""A count that is so near to the estimate teaches nothing."""

SPREADS: Counts = (0.08, 0.28, 0.25, 0.18, 0.28, 0.25, 2.8)
"""How far the rates of a model are usually from those of `USUAL`."""
PROSE = ("letters", "words", "messages")
"""What every prompt has."""
COMMON = 0.5
"""How far all of them are together, as a share."""
NOISE = 0.025
"""How far a count is from any sum of rates, as a share."""
STRANGE = 3.0
"""A count that is so many times further from the estimate than expected may be an error of the host, so it counts less."""

REPEATED = 3
"""So many different prompts with the same count show that a host cuts prompts."""


@dataclass
class Fit:
    """What is known of a model's rates: their mean and their covariance. Each count makes it more exact (recursive least squares)."""

    mean: Counts = USUAL
    covariance: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.covariance = self.covariance or [
            [(COMMON * one) * (COMMON * other) + (spread**2 if place == position else 0.0) for position, other in enumerate(USUAL)]
            for place, (one, spread) in enumerate(zip(USUAL, SPREADS, strict=True))
        ]

    @classmethod
    def learned(cls, rates: Counts) -> Fit:
        """What is known of rates that an earlier process learned: those of prose are near, so one count moves them less. It may have counted nothing else."""
        size = range(len(rates))
        spreads = [spread / 3 if part in PROSE else spread for part, spread in zip(PARTS, SPREADS, strict=True)]
        return cls(rates, [[(0.03 * rates[i]) * (0.03 * rates[j]) + (spreads[i] ** 2 if i == j else 0.0) for j in size] for i in size])

    def towards(self, counts: Counts) -> list[float]:
        """How much a count of this text would say of each rate."""
        return [sum(map(mul, row, counts)) for row in self.covariance]

    def heed(self, counts: Counts, tokens: float) -> None:
        """Take a count of a host into account."""
        towards = self.towards(counts)
        doubt = sum(map(mul, towards, counts))
        noise = (NOISE * tokens + 2.0) ** 2
        error = tokens - tokens_of(self.mean, counts)
        if (ratio := error * error / (doubt + noise)) > STRANGE**2:
            noise += (doubt + noise) * (ratio / STRANGE**2 - 1.0)
        gain = 1.0 / (doubt + noise)
        self.mean = tuple(rate + error * gain * part for rate, part in zip(self.mean, towards, strict=True))
        self.covariance = [
            [value - gain * part * other for value, other in zip(row, towards, strict=True)]
            for row, part in zip(self.covariance, towards, strict=True)
        ]


@dataclass
class Gauge:
    """The rates of each model. They change only by events, so a restart does not change them."""

    rates: dict[str, Counts] = field(default_factory=dict)
    """By the canonical name of the model."""
    _fits: dict[str, Fit] = field(default_factory=dict)
    _same: dict[str, tuple[int, list[Counts]]] = field(default_factory=dict)
    """The last count for each model, and the prompts in a row that had it."""

    def of(self, model: str) -> Counts:
        return self.rates.get(canonical(model), USUAL)

    def doubt(self, model: str, counts: Counts) -> float:
        """How far a count may be from the estimate: a standard deviation. It is large for a text that is unlike all that was counted."""
        rates = self.of(model)
        fit = self._fits.get(canonical(model)) or (Fit() if rates is USUAL else Fit.learned(rates))
        return float(sum(map(mul, fit.towards(counts), counts)) ** 0.5) + NOISE * tokens_of(rates, counts)

    def tokens(self, model: str, counts: Counts) -> int:
        return int(tokens_of(self.of(model), counts)) + 1

    def take(self, model: str, rates: Mapping[str, Any], factor: float = 0.0) -> None:
        """Take over the rates of an event, or a factor for the usual ones from an older version."""
        name = canonical(model)
        values = [rates.get(part, usual) for part, usual in zip(PARTS, USUAL, strict=True)]
        if rates and all(isinstance(value, float | int) and -HIGHEST <= value <= HIGHEST for value in values):
            self.rates[name] = tuple(values)
        elif factor > 0:
            self.rates[name] = _times(USUAL, min(factor, MISCOUNT))

    def learn(self, model: str, counts: Counts, tokens: int) -> dict[str, float] | None:
        """The new rates, if a host's count of a prompt changes them."""
        name = canonical(model)
        valid = self.rates.get(name, USUAL)
        known = tokens_of(valid, counts)
        if abs(known - tokens) <= NEAR * known or tokens <= 0:
            return None
        usual = tokens_of(USUAL, counts)
        if usual < SHORTEST:
            return None
        fit = self._fits.get(name)
        if fit is None:
            fit = self._fits[name] = Fit() if valid is USUAL else Fit.learned(valid)
        mean = tokens_of(fit.mean, counts)
        if abs(mean - tokens) > NEAR * mean:
            fit.heed(counts, min(MOST * usual, max(LEAST * usual, tokens)))
            mean = tokens_of(fit.mean, counts)
        return named(fit.mean) if abs(mean - known) > CHANGE * known else None

    def repeats(self, model: str, counts: Counts, tokens: int) -> bool:
        """Whether prompts of several lengths had this same count, one after the other, so that their host must have cut them."""
        name = canonical(model)
        last, prompts = self._same.get(name, (0, []))
        if tokens != last or tokens < 4 * SHORTEST:
            self._same[name] = tokens, [counts]
            return False
        prompts = [*prompts[-REPEATED:], counts]
        self._same[name] = tokens, prompts
        lengths = [tokens_of(USUAL, prompt) for prompt in prompts]
        return len(set(prompts)) >= REPEATED and min(lengths) < 0.97 * max(lengths)

    def corrected(self, model: str, counts: Counts, tokens: int) -> dict[str, float]:
        """The rates that follow from the count of a host that refused a prompt as too long. They never become smaller by it."""
        known, usual = self.of(model), tokens_of(USUAL, counts)
        factor = min(tokens, MISCOUNT * usual) / max(tokens_of(known, counts), 1.0)
        if factor <= 1.0:
            return named(known)
        rates = _times(known, factor)
        self._fits[canonical(model)] = Fit.learned(rates)
        return named(rates)


def _times(rates: Counts, factor: float) -> Counts:
    return tuple(rate * factor for rate in rates)


def named(rates: Counts) -> dict[str, float]:
    """The rates as an event has them."""
    return {part: round(rate, 4) for part, rate in zip(PARTS, rates, strict=True)}
