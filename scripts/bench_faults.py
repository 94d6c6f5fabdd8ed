#!/usr/bin/env python
"""Measures what faults of a host do to the calls of a fleet: each fault of the rehearsal hosts, one at a time, while sessions work on three hosts."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from bench.fault_rows import FAULTS, lines, play


def main() -> int:
    given = _arguments()
    rows = [play(fault, given.seed) for fault in given.fault or FAULTS]
    missed = [row.fault for row in rows if row.lost or row.twice]
    if given.json:
        print(json.dumps({"faults": [asdict(row) for row in rows], "missed": missed}, indent=2))
    else:
        print("\n".join([*lines(rows), *(f"missed: {fault} costs an answer, or gives two" for fault in missed)]))
    return int(given.check and bool(missed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", action="append", choices=FAULTS, help="only this fault; can be repeated")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other sessions (0)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--check", action="store_true", help="exit 1 when a call is lost or answered twice")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
