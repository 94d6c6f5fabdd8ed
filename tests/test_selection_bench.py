"""The bench of the selector: what it measures on simulated logs is good enough, and it reads a journal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import mean

from mmos.choice_events import TaskRouted
from mmos.events import RunFinished, RunRated, RunStarted
from mmos.journal import Journal
from scripts import bench_selection as bench

ROOT = Path(__file__).parent.parent


def test_little_is_lost_against_the_best_fixed_choice() -> None:
    assert mean(bench.regret(seed, bench.CLASSES[:1], bench.LOG, helpful=True) for seed in range(8)) <= bench.MOST_REGRET


def test_a_model_that_turns_bad_is_avoided_within_thirty_outcomes() -> None:
    assert max(bench.reaction(seed, bench.CLASSES[:1]) for seed in range(3)) <= bench.SOON


async def test_ways_of_choosing_are_compared_on_a_journal(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        for number in range(12):
            key, good = ("x", True) if number % 3 else ("y", False)
            rows = ({"key": "x", "chance": 0.66}, {"key": "y", "chance": 0.34})
            routed = TaskRouted("bug_fixing", key=key, propensity=0.66 if good else 0.34, candidates=rows)
            for event in (RunStarted("Fix it.", "p"), routed, RunFinished("answered", "."), RunRated(good)):
                journal.append(f"r{number}", f"t{number}", event)
            await journal.durable(f"r{number}")
    done = subprocess.run(
        [sys.executable, "scripts/bench_selection.py", "--journal", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    shares = {line.split(": ")[1]: float(line.split(": ")[2].partition("%")[0]) for line in done.stdout.splitlines()}
    assert shares["always x"] > shares["as it was chosen"] > shares["always y"]
    assert shares["by what was learned so far"] > shares["as it was chosen"]
