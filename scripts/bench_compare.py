"""Simulates comparisons with a known difference, and counts how often the interval holds it: `python scripts/bench_compare.py [--rounds N]`."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from mmos.comparing.pairing import difference

SIZES = (20, 50, 200)
RESAMPLES = 400


@dataclass(frozen=True)
class Population:
    """Cases of which a comparison draws some: the difference of the two sides on each."""

    name: str
    draw: Callable[[random.Random], float]
    true: float


def right_or_wrong(more: float, less: float) -> Population:
    """On these shares of the cases only one side is right."""

    def draw(chance: random.Random) -> float:
        place = chance.random()
        return 1.0 if place < more else -1.0 if place < more + less else 0.0

    return Population(f"right or wrong, {100 * more:.0f} % and {100 * less:.0f} % differ", draw, more - less)


def rare(chance: random.Random) -> float:
    return chance.random() if chance.random() < 0.2 else 0.0


def thirds(chance: random.Random) -> float:
    return (sum(chance.random() < 0.6 for _ in range(3)) - sum(chance.random() < 0.5 for _ in range(3))) / 3


POPULATIONS = (
    right_or_wrong(0.05, 0.05),
    right_or_wrong(0.10, 0.05),
    right_or_wrong(0.30, 0.10),
    right_or_wrong(0.40, 0.0),
    Population("three samples of a case", thirds, 0.1),
    Population("scores", lambda chance: chance.gauss(0.1, 0.3), 0.1),
    Population("scores, four of five tie", rare, 0.1),
)


def by_bootstrap(values: Sequence[float], chance: random.Random) -> tuple[float, float]:
    """The interval that most tools give."""
    means = sorted(fmean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    edge = round(0.025 * (RESAMPLES - 1))
    return means[edge], means[-1 - edge]


def coverage(population: Population, cases: int, rounds: int, chance: random.Random) -> tuple[float, float]:
    """The share of comparisons whose interval holds the true difference: with MMOS, and with a bootstrap."""
    ours = theirs = 0
    for _ in range(rounds):
        values = [population.draw(chance) for _ in range(cases)]
        found, (low, high) = difference(values), by_bootstrap(values, chance)
        ours += found.low <= population.true <= found.high
        theirs += low <= population.true <= high
    return ours / rounds, theirs / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000, help="comparisons of each kind; default 1,000")
    rounds = parser.parse_args().rounds
    chance = random.Random(1)
    print(f"{'':38}" + "".join(f"{f'{cases} cases':>20}" for cases in SIZES))
    print(f"{'':38}" + f"{'MMOS':>10}{'bootstrap':>10}" * len(SIZES))
    for population in POPULATIONS:
        found = [share for cases in SIZES for share in coverage(population, cases, rounds, chance)]
        print(f"{population.name:38}" + "".join(f"{100 * share:>8.1f} %" for share in found))


if __name__ == "__main__":
    main()
