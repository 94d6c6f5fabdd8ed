#!/usr/bin/env python
"""Measures the placement of calls: it plays traces on simulated hosts, with MMOS's policy and with simple ones, and compares them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial

from bench.fleet_cost import Cost, costs
from bench.fleet_figures import Score, Table, measured, play
from bench.fleet_litellm import STRATEGIES, play_litellm
from bench.fleet_live import play_live
from bench.fleet_traces import TRACES, varied

from mmos.placement.policies import POLICIES

OURS = "completion_time"
GOALS: Mapping[str, float] = {
    "swap_trap": 0.69,
    "burst": 0.85,
    "flexible": 0.74,
    "unlike": 0.16,
    "sixteen": 0.15,
    "roomy": 0.6,
    "heads": 0.7,
    "prefixes": 0.85,
}
"""The largest share of least-busy's mean latency."""
WORSE = 1.02
"""How much worse than the best simple policy the mean latency may be on any trace."""
LOADS = 0.6
"""The largest share of least-busy's loads, over all traces."""
MOST_MS = 1.0
"""Milliseconds for one decision over 16 hosts and 64 waiting calls."""
WIDTH = 29
HEAD = ("POLICY", "MEAN s", "SHARE", "P95 s", "JOB s", "LOADS", "REUSE", "LOST", "BOUND s")


def main() -> int:
    given = _arguments()
    makers = {name: varied(TRACES[name]) if given.varied else TRACES[name] for name in given.trace or TRACES}
    policies = list(dict.fromkeys([OURS, "least_busy", *(given.policy or POLICIES)]))
    seeds = range(given.first, given.first + given.seeds)
    player = partial(play_live, told=not given.unknown_memory) if given.live else partial(play, told=not given.unknown_memory)
    theirs = measured(makers, STRATEGIES, seeds, play_litellm) if given.litellm else {}
    table = {
        name: {**row} | {f"litellm {strategy}": score for strategy, score in theirs.get(name, {}).items()}
        for name, row in measured(makers, policies, seeds, player).items()
    }
    cost = None if given.no_cost else costs()
    missed = list(_missed(table, cost))
    if given.json:
        document = {
            "traces": {name: {policy: asdict(score) for policy, score in row.items()} for name, row in table.items()},
            "cost": asdict(cost) if cost else None,
            "missed": missed,
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n".join([*_lines(table), *(cost.lines() if cost else ()), *(f"missed: {text}" for text in missed)]))
    return int(given.check and bool(missed))


def _lines(table: Table) -> Iterator[str]:
    for name, row in table.items():
        yield f"\n{name.replace('_', ' ')}: {(TRACES[name].__doc__ or '').strip()}"
        yield "  ".join(f"{text:>{WIDTH}}" if number == 0 else f"{text:>8}" for number, text in enumerate(HEAD))
        for policy, score in row.items():
            yield _row(policy, score, row["least_busy"])


def _row(policy: str, score: Score, base: Score) -> str:
    numbers = (score.mean, score.mean / base.mean, score.p95, score.job, score.loads, score.reuse, score.lost, score.bound)
    shown = [f"{number:8.2f}" for number in numbers]
    return "  ".join([f"{policy:>{WIDTH}}", *shown])


def _missed(table: Table, cost: Cost | None) -> Iterator[str]:
    for name, row in table.items():
        ours, base = row[OURS], row["least_busy"]
        best, policy = min((score.mean, policy) for policy, score in row.items() if policy != OURS)
        if ours.mean > GOALS.get(name, 1.0) * base.mean:
            yield f"{name}: {ours.mean / base.mean:.2f} of least_busy's mean latency, goal {GOALS.get(name, 1.0):.2f}"
        if ours.mean > WORSE * best:
            yield f"{name}: {ours.mean / best:.2f} times the mean latency of {policy}"
        if ours.lost:
            yield f"{name}: {ours.lost:g} calls lost"
    ours_loads, base_loads = (sum(row[policy].loads for row in table.values()) for policy in (OURS, "least_busy"))
    if ours_loads > LOADS * base_loads:
        yield f"{ours_loads / base_loads:.2f} of least_busy's loads"
    if cost and cost.crowd_ms > MOST_MS:
        yield f"{cost.crowd_ms:.2f} ms for a decision"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", action="append", choices=sorted(TRACES), help="only this trace; can be repeated")
    parser.add_argument("--policy", action="append", choices=sorted(POLICIES), help="compare with this policy only; can be repeated")
    parser.add_argument("--seeds", type=int, default=5, help="how many times each trace is made and played (5)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--varied", action="store_true", help="vary hosts, speeds, sizes and loads with the seed")
    parser.add_argument("--unknown-memory", action="store_true", help="do not tell the engine how much memory the hosts have")
    parser.add_argument("--live", action="store_true", help="play the traces through mmos.Fleet and rehearsal hosts over HTTP")
    parser.add_argument("--litellm", action="store_true", help="compare with the Router of LiteLLM, over HTTP and in accelerated time, too")
    parser.add_argument("--no-cost", action="store_true", help="do not measure the time of the decisions")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
