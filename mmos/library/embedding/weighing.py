"""Finds out how far the vectors of a collection can be trusted, from the vectors alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

SEED = 19
MOST = 400
"""Pieces that are looked at."""
LEAST = 12
"""Fewer pieces tell too little, so the usual weight holds."""
USUAL = 0.5
STEPS = ((0.75, USUAL), (0.65, 0.25))
"""From which share on the vectors count how much. Below all of them they count nothing."""


def weight_of(pieces: Sequence[Any]) -> tuple[float, float | None]:
    """What vectors are to count beside words, and how often two windows of one piece are closer to each other than to a window of another piece.

    `pieces`: for each of some pieces the vectors of its windows. Vectors that know nothing of the texts are right in half of the cases.
    """
    random = Random(SEED)
    several = [one for one in pieces if len(one) > 1]
    if len(several) < LEAST:
        return USUAL, None
    some = random.sample(several, min(MOST, len(several)))
    right = 0.0
    for number, one in enumerate(some):
        first, second = random.sample(range(len(one)), 2)
        other = some[(number + 1 + random.randrange(len(some) - 1)) % len(some)]
        near, far = _cosine(one[first], one[second]), _cosine(one[first], other[random.randrange(len(other))])
        right += 1.0 if near > far else 0.5 if near == far else 0.0
    share = right / len(some)
    return next((weight for least, weight in STEPS if share >= least), 0.0), share


def _cosine(one: Any, other: Any) -> float:
    import numpy as np

    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
