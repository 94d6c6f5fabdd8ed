"""Measures what `mmos diagnose -- COMMAND` costs beside the command alone: in turns, with the same bytes at the end.

    scripts/bench_diagnose.py [--turns N] [--megabytes N] [--check]

`--check` exits with 1 when a byte differs, or when a chatty command takes more than 2 % longer.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MMOS = Path(sys.executable).parent / "mmos"
ALLOWED = 0.02

LINES = """
import sys
line = b"[%8d/%8d] CC src/module_%d.c with all its flags -O2 -Wall -Wextra -o build/module_%d.o\\n"
write, number = sys.stdout.buffer.write, 0
left = int(sys.argv[1]) * 1_000_000
while left > 0:
    number += 1
    left -= write(line % (number, 9999999, number % 977, number % 977))
"""
SMALL = """
import os, sys
for number in range(int(sys.argv[1]) * 10_000):
    os.write(1, b"%d: ok, and the next one\\n" % number)
    if not number % 100:
        os.write(2, b"%d: a warning\\n" % number)
"""
WORKLOADS = {"lines in large writes": LINES, "small writes to both streams": SMALL}


@dataclass(frozen=True)
class Turn:
    seconds: float
    work: float
    """Seconds of all processors together."""
    digests: tuple[str, str]


def play(command: Sequence[str], folder: Path) -> Turn:
    """Run a command whose streams go into files, the fastest way that there is without MMOS."""
    paths = folder / "out", folder / "err"
    begin, worked = time.perf_counter(), _work()
    with paths[0].open("wb") as out, paths[1].open("wb") as err:
        subprocess.run(command, stdout=out, stderr=err, check=True)
    seconds, work = time.perf_counter() - begin, _work() - worked
    digests = [hashlib.blake2b(path.read_bytes()).hexdigest() for path in paths]
    return Turn(seconds, work, (digests[0], digests[1]))


def _work() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(name: str, program: str, megabytes: int, turns: int) -> bool:
    """Play a workload alone and under MMOS, in turns, and print what it costs. False: it costs too much, or a byte differs."""
    alone_command = [sys.executable, "-S", "-c", program, str(megabytes)]
    alone, watched = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns):
            alone.append(play(alone_command, Path(folder)))
            watched.append(play([str(MMOS), "diagnose", "--", *alone_command], Path(folder)))
    same = len({turn.digests for turn in (*alone, *watched)}) == 1
    before, after = (statistics.median(turn.seconds for turn in each) for each in (alone, watched))
    work, more = (statistics.median(turn.work for turn in each) for each in (alone, watched))
    print(f"{name}: alone {before:.2f} s, with mmos {after:.2f} s ({after / before - 1:+.1%}), bytes {'the same' if same else 'DIFFER'}")
    print(f"    work of the processors: {work:.2f} s and {more:.2f} s")
    return same and after <= before * (1 + ALLOWED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    good = [compare(name, program, options.megabytes, options.turns) for name, program in WORKLOADS.items()]
    return 0 if all(good) or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
