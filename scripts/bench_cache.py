#!/usr/bin/env python
"""Measures the cache of answers: what a hit saves, what a miss costs, and which texts are taken for the same."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmos.cache.likeness import cosine, form_of
from mmos.hosts.face import Timeouts
from mmos.testing import Model, Stage, stage

PAIRS = Path(__file__).parent / "alike.json"
ROUNDS = 300
MISS_MS = 1.0
"""The most that a miss may cost."""


class Took(NamedTuple):
    wall: float
    cpu: float
    """Of all threads, with the rehearsal host. Other work on the machine changes it less."""


async def _run(on: Stage, task: str) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    await on.app.run(task)
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


async def times(rounds: int) -> dict[str, list[Took]]:
    """The seconds of runs with one answer each, in turn without a cache, with a miss and with a hit."""
    found: dict[str, list[Took]] = {"plain": [], "miss": [], "hit": []}
    answers = Model.scripted("arbiter", ["A mutex lets one thread at a time into a part of the code. " * 10], repeat=True)
    with tempfile.TemporaryDirectory() as folder:
        plain = stage({"arbiter": answers}, state=Path(folder, "plain"))
        cached = stage({"arbiter": answers}, state=Path(folder, "cached"), orchestration={"cache": {"exact": True}})
        async with plain as one, cached as other:
            for number in range(-10, rounds):
                task = f"What is mutex {number}?"
                took = {"plain": await _run(one, task), "miss": await _run(other, task), "hit": await _run(other, task)}
                for name, each in took.items() if number >= 0 else ():
                    found[name].append(each)
    return found


async def likenesses(pairs: Sequence[Sequence[str]]) -> list[float]:
    """How alike the rehearsal's embedder finds each pair. It compares common words and parts of words, and is no real embedding model."""
    async with stage({"arbiter": [], "embedder": Model("embedder", capabilities=("embedding",))}) as on:
        host = on.app.fleet.host("here")
        vectors = await host.embed("embedder", [text for pair in pairs for text in pair], timeouts=Timeouts())
    return [cosine(one, other) for one, other in zip(vectors[::2], vectors[1::2], strict=True)]


def _table(pairs: dict[str, list[list[str]]]) -> dict[str, int]:
    """How many pairs the words take for the same, and how many the vectors alone would, at several thresholds."""
    counts = {}
    for name, texts in pairs.items():
        alike = asyncio.run(likenesses(texts))
        same = [form_of(one) == form_of(other) for one, other in texts]
        counts[name] = sum(same)
        thresholds = "  ".join(f"{bound:g}: {sum(value >= bound for value in alike)}" for bound in (0.8, 0.9, 0.95, 0.97))
        both = sum(fits and value >= 0.97 for fits, value in zip(same, alike, strict=True))
        print(f"{name:6} {len(texts):3} pairs: by their words {sum(same)}; by vectors alone at {thresholds}; by both at 0.97: {both}")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--check", action="store_true", help="Fail if a promise is not kept.")
    given = parser.parse_args()
    found = asyncio.run(times(given.rounds))
    middle = {name: statistics.median(each.wall for each in took) * 1000 for name, took in found.items()}
    print(f"a run with one answer, median of {given.rounds}: {middle['plain']:.2f} ms without a cache, {middle['hit']:.2f} ms with a hit")
    cost = {}
    for what in Took._fields:
        differences = [
            (getattr(miss, what) - getattr(plain, what)) * 1000 for miss, plain in zip(found["miss"], found["plain"], strict=True)
        ]
        cost[what], error = statistics.median(differences), 1.96 * statistics.stdev(differences) / len(differences) ** 0.5
        print(f"a miss costs {cost[what]:.2f} ms of {what} time (mean {statistics.fmean(differences):.2f} ± {error:.2f})")
    counts = _table(json.loads(PAIRS.read_text(encoding="utf-8")))
    kept = cost["cpu"] <= MISS_MS and middle["hit"] < middle["plain"] and counts["other"] == 0
    print(
        "kept" if kept else "NOT KEPT",
        f"- a miss costs at most {MISS_MS:g} ms of CPU, a hit is faster than a rehearsed answer, no other question hits",
    )
    return 0 if kept or not given.check else 1


if __name__ == "__main__":
    sys.exit(main())
