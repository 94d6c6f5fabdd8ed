"""Measures how many conditions of routing rules are evaluated in a second: `python scripts/bench_conditions.py [--seconds N] [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from time import perf_counter
from typing import Any

from mmos.config.rules import Rule, compile_rule

LIMIT = 100_000
"""Evaluations in a second that are enough."""
ROUNDS = 5
CONDITIONS = (
    "task.complexity > 7",
    "task.type == 'code_generation'",
    "task.requires_speed",
    "response.unclear_tool_calls",
    "task.type in ['code_generation', 'bug_fixing'] and not task.requires_speed",
    "'python' in task.languages or 3 < task.complexity <= 6",
    "task.type == 'SECURITY_REVIEW' and task.complexity >= 4 and task.confidence > 0.8",
    "task.context_tokens > 16000 or task.needs_vision",
    "task.complexity * 2 + run.failures > 15",
    "task.text_length / (run.turns + 1) > 500 and response.quality < 0.6",
    "not (response.failed or response.empty) and run.seconds < 60",
    "'urgent' in task.text and task.complexity % 2 == 0",
)


def tasks() -> list[dict[str, dict[str, Any]]]:
    """Facts of a few dozen tasks, some of them before the run, some within it."""
    kinds, hard, speed = ("code_generation", "bug_fixing", "simple_query", None), (1, 5, 8), (False, True)
    found = []
    for kind, complexity, fast in product(kinds, hard, speed):
        text = "Urgent: fix the importer." if fast else "Fix the importer."
        task = {"type": kind, "complexity": complexity, "requires_speed": fast, "confidence": 0.9, "text": text.lower()}
        counts = {"text_length": len(text) * complexity**3, "context_tokens": 9 * complexity**4}
        facts: dict[str, dict[str, Any]] = {"task": {**task, **counts, "languages": ["python"] if fast else []}}
        if complexity > 1:
            facts["run"] = {"turns": 3, "failures": 1, "seconds": 12.5 * complexity}
            facts["response"] = {"unclear_tool_calls": fast, "quality": complexity / 10, "failed": fast, "empty": False}
        found.append(facts)
    return found


def rate(rules: Sequence[Rule], given: Sequence[Mapping[str, Mapping[str, Any]]], seconds: float) -> float:
    """Evaluations in a second, the median of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        count, begun = 0, perf_counter()
        while (spent := perf_counter() - begun) < seconds / ROUNDS:
            for facts in given:
                for rule in rules:
                    rule.evaluate(facts)
            count += len(given) * len(rules)
        rates.append(count / spent)
    return median(rates)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to measure each condition, and all together")
    parser.add_argument("--check", action="store_true", help=f"exit 1 below {LIMIT:,} evaluations per second")
    given = parser.parse_args()
    begun = perf_counter()
    rules = [compile_rule(condition) for condition in CONDITIONS]
    print(f"compiled {len(rules)} conditions in {(perf_counter() - begun) * 1000:.1f} ms")
    for rule in rules:
        print(f"{rate([rule], tasks(), given.seconds / 5):>11,.0f} per second  {rule.text}")
    together = rate(rules, tasks(), given.seconds)
    print(f"{together:>11,.0f} per second  all together (limit {LIMIT:,})")
    return int(given.check and together < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
