"""Measures `mmos classify` on requests with known classes: `python scripts/bench_classify.py FILE [--show] [--part N/M]`."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from mmos.choice.classifier import Classification, classify
from mmos.config.facts import TASK_CLASSES, task_class

STEPS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.01)
"""The limits of the lines of the table of confidence."""


@dataclass(frozen=True)
class Case:
    """A row of the file, and what the classifier says about it."""

    name: str
    text: str
    wanted: str
    said: Classification
    seconds: float

    @property
    def right(self) -> bool:
        return self.said.type == self.wanted


def read(path: Path) -> list[Case]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    classify("")  # loads the table, which a command does once
    return [_case(str(row.get("id", number)), row["text"], task_class(row["label"])) for number, row in enumerate(rows, 1)]


def _case(name: str, text: str, wanted: str) -> Case:
    begun = perf_counter()
    said = classify(text)
    return Case(name, text, wanted, said, perf_counter() - begun)


def part(cases: Sequence[Case], which: str, seed: int) -> list[Case]:
    """One of M parts of equal size, drawn at random."""
    number, _, count = which.partition("/")
    shuffled = sorted(cases, key=lambda case: case.name)
    random.Random(seed).shuffle(shuffled)
    return shuffled[int(number) - 1 :: int(count)]


def by_class(cases: Sequence[Case]) -> str:
    """Right ones of each class, and what was said instead."""
    lines = []
    for name in TASK_CLASSES:
        these = [case for case in cases if case.wanted == name]
        instead = Counter(str(case.said.type) for case in these if not case.right)
        said = ", ".join(f"{other} {count}" for other, count in instead.most_common(3))
        lines += [f"{name:<16} {sum(case.right for case in these):>4} of {len(these):<4} {said}".rstrip()] if these else []
    return "\n".join(lines)


def by_confidence(cases: Sequence[Case]) -> str:
    """How often what was said so surely is right."""
    lines = [f"{'confidence':<12} {'cases':>5} {'mean':>6} {'right':>6}"]
    for low, high in pairwise(STEPS):
        these = [case for case in cases if low <= case.said.confidence < high]
        if these:
            mean, right = (
                sum(values) / len(these) for values in ((case.said.confidence for case in these), (case.right for case in these))
            )
            lines.append(f"{low:.2f} to {min(high, 1):.2f} {len(these):>5} {mean:>6.1%} {right:>6.1%}")
    return "\n".join(lines)


def summary(cases: Sequence[Case]) -> str:
    seconds = [case.seconds for case in cases]
    right = sum(case.right for case in cases) / len(cases)
    sure = [case for case in cases if case.said.sure]
    surely = sum(case.right for case in sure) / max(1, len(sure))
    return (
        f"{len(cases)} cases: {right:.1%} right; {len(sure)} sure, {surely:.1%} of them right; "
        f"mean confidence {sum(case.said.confidence for case in cases) / len(cases):.1%}; "
        f"median {median(seconds) * 1000:.2f} ms, longest {max(seconds) * 1000:.2f} ms"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="JSON lines with text and label")
    parser.add_argument("--show", action="store_true", help="print each case that is not right")
    parser.add_argument("--part", default="1/1", metavar="N/M", help="only the Nth of M random parts")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the parts")
    arguments = parser.parse_args()
    if not arguments.file.is_file():
        print(f"{arguments.file} is not there. Name a file of JSON lines with `text` and `label`.", file=sys.stderr)
        return 2
    cases = part(read(arguments.file), arguments.part, arguments.seed)
    for case in cases if arguments.show else ():
        if not case.right:
            print(f"{case.name}: {case.wanted}, said {case.said.type} ({case.said.confidence:.0%})\n    {case.text[:200]!r}")
    print("\n".join([by_class(cases), by_confidence(cases), summary(cases)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
