#!/usr/bin/env python
"""Measures the library with many pieces: how fast they are added, how long a search takes, and how much memory and disk that needs."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from mmos.library.library import Library
from mmos.library.passages import Document, Query

NAME = "many"
LENGTH = 100_000
"""Characters of a document."""
WORDS = 40_000
"""Different words."""
LATE = 500
"""Pieces that no index has yet."""


def vocabulary(random: Random) -> list[str]:
    signs = "bcdfghjklmnprstvw"
    return sorted({"".join(random.choice(signs) + random.choice("aeiou") for _ in range(random.randint(1, 4))) for _ in range(WORDS)})


def documents(pieces: int, random: Random, words: list[str], first: str = "document") -> Iterator[Document]:
    """Texts in which few words are frequent and many are rare, as in real ones."""
    weights = [1 / place for place in range(1, len(words) + 1)]
    for number in range(max(1, pieces * 780 // LENGTH)):
        some = random.choices(words, weights, k=LENGTH // 7)
        yield Document(f"{first}{number}", ". ".join(" ".join(some[at : at + 14]).capitalize() for at in range(0, len(some), 14)))


async def searched(library: Library, questions: list[str]) -> list[float]:
    times = []
    for question in questions:
        start = time.perf_counter()
        await library.search(NAME, Query(question, top_k=10))
        times.append((time.perf_counter() - start) * 1_000)
    return sorted(times)


def percentiles(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(times[len(times) // 2], 1), "p95_ms": round(times[int(len(times) * 0.95)], 1)}


async def measured(pieces: int, questions: int, seed: int, place: Path) -> dict[str, Any]:
    random = Random(seed)
    words = vocabulary(random)
    texts = [*documents(pieces, random, words)]
    library = Library(place)
    start, cpu = time.perf_counter(), time.process_time()
    added = await library.add(NAME, texts)
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    asked = [" ".join(random.choices(words, [1 / (5 + place) for place in range(len(words))], k=8)) for _ in range(questions)]
    await searched(library, asked[:20])
    warm = percentiles(await searched(library, asked))
    await library.add(NAME, documents(LATE, random, words, "late"))
    late = percentiles(await searched(library, asked))
    shelf = await library._shelf(NAME)
    return {
        "pieces": added.pieces, "add_seconds": round(seconds, 1), "add_cpu_seconds": round(used, 1), "pieces_per_second": round(added.pieces / seconds),
        "search": warm, "search_after_a_small_addition": {**late, "not_indexed": await shelf.unindexed()},
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - sum(len(one.text) for one in texts) // (1 << 20),
        "disk_mb": sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) >> 20,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measured(given.pieces, given.questions, given.seed, Path(folder))), indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
