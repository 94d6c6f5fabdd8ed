#!/usr/bin/env python
"""Measures the reader of logs: the share of the evidence in what it selects of real logs, and the seconds and the memory of a long log."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.selecting import Cost, cost, named, rows, shares

TOKENS = (2000, 4000)
MOST_SECONDS, MOST_TIMES, MOST_MIB = 3.0, 50.0, 150.0
"""For a log of 100 MB. On a busy machine each second is longer, and the count of a word takes longer, too."""


def main() -> int:
    given = _arguments()
    if given.logs and given.logs.is_file():
        _show_shares(given.logs)
    else:
        print(
            "No file of logs with evidence is given, so no shares are measured."
            if not given.logs
            else f"{given.logs} is not there, so no shares are measured."
        )
    long = cost(given.mib, given.seed)
    print(_told(long))
    fast = long.seconds * 100 / max(1, long.mib) <= MOST_SECONDS or long.times <= MOST_TIMES
    return int(given.check and not (fast and long.grown <= MOST_MIB and long.found))


def _show_shares(path: Path) -> None:
    cases = rows(path)
    print(f"the share of the critical evidence, the mean of {len(cases)} logs")
    print(f"{'':8}" + "".join(f"{f'{size:,} tokens':>14}" for size in TOKENS))
    for share in shares(cases, TOKENS):
        print(f"{share.name:8}" + "".join(f"{share.shares[size]:14.3f}" for size in TOKENS))
    print(f"one of the first five lines names the cause: {named(cases)} of {len(cases)}")


def _told(long: Cost) -> str:
    return (
        f"a log of {long.mib} MiB: {long.seconds:.2f} s of processor time, {long.times:.0f} times as long as the count of one word; {long.grown:.0f} MiB more memory; "
        f"its cause is {'among' if long.found else 'not among'} the first five lines"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "logs", type=Path, nargs="?", help='JSON lines, also .xz, with {"log", "evidence": [{"type", "importance", "lines"}]}'
    )
    parser.add_argument("--mib", type=int, default=100, help="the size of the long log (100)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes another long log (0)")
    parser.add_argument(
        "--check", action="store_true", help="exit 1 when the long log takes too long or too much memory, or its cause is missed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
