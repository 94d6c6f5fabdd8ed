#!/usr/bin/env python
"""Counts the Python bytecodes of a job of seven model calls, in this checkout and in others. No other work on the machine changes this figure much."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "checkouts",
        metavar="CHECKOUT",
        nargs="*",
        type=Path,
        default=[ROOT],
        help="folders with a checkout of MMOS; the first is compared with the others",
    )
    parser.add_argument("--jobs", type=int, default=15, metavar="N", help="how many jobs are counted")
    parser.add_argument("--by-function", type=int, default=0, metavar="N", help="also list the N functions with the most bytecodes")
    given = parser.parse_args()
    first = 0.0
    for checkout in given.checkouts:
        count, functions = counted(checkout.resolve(), given.jobs, given.by_function)
        first = first or count
        print(f"{count:10,.0f} bytecodes for a job  {count / first - 1:+.1%}  {checkout}")
        print(functions, end="")
    return 0


def counted(checkout: Path, jobs: int, functions: int) -> tuple[float, str]:
    """In a process of its own, which imports MMOS and the job from that checkout."""
    command = [sys.executable, str(ROOT / "scripts/bench/bytecodes.py"), str(checkout), str(jobs), str(functions)]
    total, _, rest = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.partition("\n")
    return float(total), rest


if __name__ == "__main__":
    sys.exit(main())
