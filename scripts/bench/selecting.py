"""Measures what is selected of logs: the share of the evidence that readers need, next to simple ways, and the cost of a long log."""

from __future__ import annotations

import json
import lzma
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean
from time import process_time
from typing import Any

from mmos.diagnosis.log import Selection
from mmos.diagnosis.reader import Reader, select

MIB = 1024 * 1024
NAMING = {"exception", "compile_error", "assertion", "failed_test", "panic"}
"""The kinds of evidence that name a cause."""

Chooser = Callable[[Sequence[str], int], set[int]]


@dataclass(frozen=True)
class Share:
    """The mean share of the critical evidence of each log, by number of tokens."""

    name: str
    shares: Mapping[int, float]


@dataclass(frozen=True)
class Cost:
    """What one long log costs."""

    mib: int
    seconds: float
    """Of processor time."""
    counting: float
    """Seconds to count one word in the same bytes."""
    grown: float
    """How many MiB the process grew by."""
    found: bool
    """Whether the one line that matters is among the first five."""

    @property
    def times(self) -> float:
        return self.seconds / max(self.counting, 1e-9)


def rows(path: Path) -> list[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def shares(cases: Sequence[Mapping[str, Any]], tokens: Sequence[int]) -> list[Share]:
    choosers: dict[str, Chooser] = {"head": _head, "grep": _grep, "tail": _tail, "mmos": _ours}
    lines = [str(case["log"]).split("\n") for case in cases]
    return [
        Share(name, {size: mean(_share(case, chooser(log, size)) for case, log in zip(cases, lines, strict=True)) for size in tokens})
        for name, chooser in choosers.items()
    ]


def named(cases: Sequence[Mapping[str, Any]]) -> int:
    """In how many logs one of the first five lines names the cause."""
    return sum(_named(case, select([str(case["log"]).encode()])) for case in cases)


def cost(mib: int, seed: int = 0) -> Cost:
    """Read a log of so many MiB whose cause stands in the middle."""
    chance = Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 10))) for _ in range(3000)]
    reader, spent, counting, counted = Reader(), 0.0, 0.0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(mib):
        piece = "\n".join(_long_log(chance, words)).encode() + (_CAUSE if number == mib // 2 else b"\n")
        started = process_time()
        reader.feed(piece)
        spent += process_time() - started
        started = process_time()
        counted += piece.count(b"error")
        counting += process_time() - started
    started = process_time()
    found = reader.close()
    spent += process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return Cost(found.size // MIB, spent, counting, grown, any("TotalsMismatch" in line.text for line in found.best[:5]))


_CAUSE = b"""
Traceback (most recent call last):
  File "/w/ledger.py", line 41, in close
    check(totals)
ledger.TotalsMismatchError: the totals of March differ by 12
"""


def _long_log(chance: Random, words: Sequence[str]) -> Iterator[str]:
    """A MiB of a build with tests: ids and names that differ, and words that look like errors."""
    size = 0
    while size < MIB:
        one, two = chance.choices(words, k=2)
        line = chance.choice(
            (
                f"2026-04-22T16:11:48.{chance.randrange(10**7):07d}Z INFO request {chance.getrandbits(64):016x} took {chance.random():.3f} ms",
                f"[{chance.randrange(100):3d}%] Building CXX object src/{one}/error_{two}.cpp.o",
                f"test {one}::fails_without_{two} ... ok",
                f"warning: `{one}` is deprecated, use `{two}`",
                f"{one}: processed {chance.randrange(10**6)} rows, 0 errors",
            )
        )
        size += len(line) + 1
        yield line


def _share(case: Mapping[str, Any], chosen: set[int]) -> float:
    critical = [each["lines"] for each in case["evidence"] if each["importance"] == "critical"]
    return mean(all(number in chosen for first, last in ranges for number in range(first, last + 1)) for ranges in critical)


def _named(case: Mapping[str, Any], found: Selection) -> bool:
    naming = [each["lines"] for each in case["evidence"] if each["importance"] == "critical" and each["type"] in NAMING]
    lines = {number for ranges in naming for first, last in ranges for number in range(first, last + 1)}
    return any(line.number in lines for line in found.best[:5])


def _ours(lines: Sequence[str], tokens: int) -> set[int]:
    found = select(["\n".join(lines).encode()], tokens=tokens)
    return {number for first, last in found.ranges() for number in range(first, last + 1)}


def _head(lines: Sequence[str], tokens: int) -> set[int]:
    return _fill(range(len(lines)), lines, tokens)


def _tail(lines: Sequence[str], tokens: int) -> set[int]:
    return _fill(range(len(lines) - 1, -1, -1), lines, tokens)


def _grep(lines: Sequence[str], tokens: int) -> set[int]:
    return _fill([index for index, line in enumerate(lines) if "error" in line.lower() or "fail" in line.lower()], lines, tokens)


def _fill(order: Sequence[int], lines: Sequence[str], tokens: int) -> set[int]:
    chosen: set[int] = set()
    left = tokens * 4
    for index in order:
        left -= len(lines[index]) + 1
        if left < 0:
            break
        chosen.add(index + 1)
    return chosen
