"""Measures `mmos classify` on requests with known classes: `python scripts/bench_classify.py FILE [--show] [--part N/M]`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from bench.labelled import arguments, part

from mmos.choice.classifier import Classification, classify
from mmos.config.facts import TASK_CLASSES, task_class

STEPS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.86, 0.94, 0.98, 1.01)
"""The limits of the lines of the table of confidence. One line has what is called 90 % sure."""


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
    lines = [f"{'confidence':<12} {'cases':>5} {'mean':>6} {'right':>6} {'too sure by':>12}"]
    for low, high in pairwise(STEPS):
        these = [case for case in cases if low <= case.said.confidence < high]
        if these:
            mean, right = (
                sum(values) / len(these) for values in ((case.said.confidence for case in these), (case.right for case in these))
            )
            lines.append(f"{low:.2f} to {min(high, 1):.2f} {len(these):>5} {mean:>6.1%} {right:>6.1%} {100 * (mean - right):>12.1f}")
    return "\n".join(lines)


def off(cases: Sequence[Case]) -> float:
    """The mean distance between the confidence and the share of right answers, over the lines of the table."""
    lines = [[case for case in cases if low <= case.said.confidence < high] for low, high in pairwise(STEPS)]
    return sum(abs(sum(case.said.confidence - case.right for case in these)) for these in lines) / len(cases)


def summary(cases: Sequence[Case]) -> str:
    seconds = [case.seconds for case in cases]
    right = sum(case.right for case in cases) / len(cases)
    sure = [case for case in cases if case.said.sure]
    surely = sum(case.right for case in sure) / max(1, len(sure))
    return (
        f"{len(cases)} cases: {right:.1%} right; {len(sure)} sure, {surely:.1%} of them right; "
        f"mean confidence {sum(case.said.confidence for case in cases) / len(cases):.1%}, off by {off(cases):.1%}; "
        f"median {median(seconds) * 1000:.2f} ms, longest {max(seconds) * 1000:.2f} ms"
    )


def main() -> int:
    given = arguments(__doc__, "text", "label")
    if given is None:
        return 2
    cases = part(read(given.file), given.part, given.seed)
    for case in cases if given.show else ():
        if not case.right:
            print(f"{case.name}: {case.wanted}, said {case.said.type} ({case.said.confidence:.0%})\n    {case.text[:200]!r}")
    print("\n".join([by_class(cases), by_confidence(cases), summary(cases)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
