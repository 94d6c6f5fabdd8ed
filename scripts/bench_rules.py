"""Measures the rules of `mmos diagnose` on cases with known categories: `python scripts/bench_rules.py FILE [--show] [--part N/M]`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.labelled import arguments, part

from mmos.diagnosis.log import Line, Selection
from mmos.diagnosis.masking import mask
from mmos.diagnosis.reader import select
from mmos.diagnosis.rules import judge
from mmos.diagnosis.verdict import Verdict

OUTCOMES = ("right", "wrong", "null")


@dataclass(frozen=True)
class Case:
    """A row of the file, and what the rules say about it."""

    name: str
    log: str
    wanted: str
    verdict: Verdict

    @property
    def outcome(self) -> str:
        if self.verdict.category is None:
            return "null"
        return "right" if self.verdict.category == self.wanted else "wrong"


def judged(log: str) -> Verdict:
    selection: Selection = select([log.encode()])
    lines = [Line(number, mask(text)) for number, text in enumerate(log.splitlines(), 1)]
    return judge(selection, lines)


def read(path: Path) -> list[Case]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Case(str(row.get("id", number)), row["log"], row["category"], judged(row["log"])) for number, row in enumerate(rows, 1)
    ]  # fmt: skip


def table(cases: Sequence[Case]) -> str:
    counts = Counter((case.wanted, case.outcome) for case in cases)
    rows = [
        f"{category:<32}" + "".join(f" {counts[category, outcome]:>6}" for outcome in OUTCOMES)
        for category in sorted({case.wanted for case in cases})
    ]
    total = Counter(case.outcome for case in cases)
    shares = ", ".join(f"{outcome} {total[outcome] / len(cases):.1%}" for outcome in OUTCOMES)
    return "\n".join([f"{'category':<32}" + "".join(f" {outcome:>6}" for outcome in OUTCOMES), *rows, f"{len(cases)} cases: {shares}"])


def main() -> int:
    given = arguments(__doc__, "log", "category")
    if given is None:
        return 2
    cases = part(read(given.file), given.part, given.seed)
    for case in cases if given.show else ():
        if case.outcome != "right":
            print(f"{case.name}: {case.wanted}, said {case.verdict.category}\n    {case.log[:300]!r}")
    print(table(cases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
