"""Loads the table of weights that `scripts/train_classifier.py` makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "weights.json"
UNIT = 100
"""The table holds hundredths."""


@dataclass(frozen=True)
class Weights:
    """How much each feature speaks for each class."""

    classes: tuple[str, ...]
    bias: Sequence[int]
    of: Mapping[str, Sequence[int]]


@cache
def shipped() -> Weights:
    table = json.loads(FILE.read_bytes())
    return Weights(tuple(table["classes"]), table["bias"], table["weights"])
