"""Measures voting on real answers: `python scripts/bench_votes.py FOLDER [--halves 20]`. Trust is learned on one half, and tested on the other."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from mmos.catalog.naming import billions
from mmos.voting.lines import WAYS, How, Poll, decided
from mmos.voting.trust import Mark, Trust

KINDS = {"mmlupro": "choice", "gsm8k": "number", "security": "label", "tool_calls": "tool_calls"}
GOALS = {"mmlupro": 3.5, "mmlupro, small models": 4.0, "security": -0.5, "gsm8k": -0.5}
"""Points above the best single model that auto must reach."""
LEAST = {"tool_calls": 0.915}
MOST_CALLS = {"mmlupro": 4.0, "tool_calls": 3.0}
SMALL = 14


@dataclass(frozen=True)
class Row:
    """A question, and which of its answers are right."""

    poll: Poll
    marks: tuple[Mark, ...]

    def is_right(self, model: str) -> bool:
        return any(mark.model == model and mark.right for mark in self.marks)


def read(path: Path, kind: str, *, small: bool = False) -> list[Row]:
    return [_row(json.loads(line), kind, small=small) for line in path.read_text(encoding="utf-8").splitlines()]


def _row(row: Mapping[str, Any], kind: str, *, small: bool) -> Row:
    names = [name for name in row["answers"] if not small or (billions(name) or (4 if name.startswith("phi3:mini") else 99)) <= SMALL]
    answers = {name: _answer(row["answers"][name]) for name in names}
    fields = {
        "kind": kind,
        "group": row.get("domain") or row.get("category"),
        "question": row["question"],
        "answers": answers,
        "truth": row["gold"],
    }
    poll = Poll.of(fields)
    if kind != "tool_calls":
        return Row(poll, tuple(poll.marks()))
    return Row(poll, tuple(Mark(poll.group, name, bool(row["answers"][name]["official_pass"])) for name in names))


def _answer(answer: Any) -> Any:
    return answer if isinstance(answer, str) else answer.get("calls") if answer.get("calls") is not None else answer.get("text", "no calls")


def measured(rows: Sequence[Row], halves: int) -> dict[str, tuple[float, float, float]]:
    """For each way of voting: the share of right results, the calls of a question, and how often those are right that agree."""
    right, calls, sure, kept = dict[str, float](), dict[str, float](), dict[str, list[bool]](), 0
    for seed in range(halves):
        shuffled = Random(seed).sample(rows, len(rows))
        half = len(rows) // 2
        trust, tested = Trust.of(mark for row in shuffled[:half] for mark in row.marks), shuffled[half:]
        single = trust.order(tested[0].poll.answers)[0]
        kept += len(tested)
        for row in tested:
            _add(right, "single", row.is_right(single))
            for how in WAYS:
                _count(row, how, trust, right, calls, sure)
    shares = {how: right[how] / kept for how in right}
    return {how: (shares[how], calls.get(how, kept) / kept, _share(sure.get(how, []))) for how in ("single", *WAYS)}


def _count(row: Row, how: How, trust: Trust, right: dict[str, float], calls: dict[str, float], sure: dict[str, list[bool]]) -> None:
    verdict = decided(row.poll, how, trust)
    chosen = next((name for name in trust.order(row.poll.answers, row.poll.group) if name in verdict.tally.behind), "")
    is_right = row.is_right(chosen)
    _add(right, how, is_right)
    _add(calls, how, len(verdict.asked))
    if how == "auto" and len(verdict.asked) == 2 and verdict.tally.agreement > 0.99:
        sure.setdefault(how, []).append(is_right)


def _add(counts: dict[str, float], key: str, value: float) -> None:
    counts[key] = counts.get(key, 0.0) + value


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def missed(name: str, figures: Mapping[str, tuple[float, float, float]]) -> Iterable[str]:
    auto, single = figures["auto"], figures["single"]
    points = (auto[0] - single[0]) * 100
    if name in GOALS and points < GOALS[name]:
        yield f"{name}: auto is {points:+.1f} points from the best single model, and {GOALS[name]:+.1f} are wanted"
    if auto[0] < LEAST.get(name, 0.0):
        yield f"{name}: auto is right in {auto[0]:.3f}, and {LEAST[name]} is wanted"
    if auto[1] > MOST_CALLS.get(name, 99.0):
        yield f"{name}: auto asks {auto[1]:.2f} models, and {MOST_CALLS[name]} is the limit"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--halves", type=int, default=20)
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
    given = parser.parse_args()
    sets = {name: read(given.folder / f"{name}.jsonl", kind) for name, kind in KINDS.items()}
    sets["mmlupro, small models"] = read(given.folder / "mmlupro.jsonl", "choice", small=True)
    faults: list[str] = []
    for name, rows in sets.items():
        figures = measured(rows, given.halves)
        faults += missed(name, figures)
        print(f"{name}: {len(rows)} questions, {len(rows[0].poll.answers)} models")
        for how, (right, calls, sure) in figures.items():
            told = f"   when the first two agree: {sure:.3f} right" if sure else ""
            print(f"  {how:<10} {right:.4f} right   {calls:5.2f} calls a question{told}")
    print("\n".join(f"missed: {fault}" for fault in faults))
    return int(given.check and bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
