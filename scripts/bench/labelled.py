"""What benchmarks on files of labelled cases share: their arguments, and random parts of the cases."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def arguments(about: str | None, *fields: str) -> argparse.Namespace | None:
    """The arguments. None if the file, JSON lines with these fields, is not there: then this is said."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("file", type=Path, help=f"JSON lines with {' and '.join(fields)}")
    parser.add_argument("--show", action="store_true", help="print each case that is not right")
    parser.add_argument("--part", default="1/1", metavar="N/M", help="only the Nth of M random parts")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the parts")
    given = parser.parse_args()
    if not given.file.is_file():
        wanted = " and ".join(f"`{field}`" for field in fields)
        print(f"{given.file} is not there. Name a file of JSON lines with {wanted}.", file=sys.stderr)
        return None
    return given


def part(cases: Sequence[T], which: str, seed: int) -> list[T]:
    """One of M parts of equal size, drawn at random: rules are written on some parts and tried on the others."""
    number, _, count = which.partition("/")
    shuffled = sorted(cases, key=lambda case: case.name)
    random.Random(seed).shuffle(shuffled)
    return shuffled[int(number) - 1 :: int(count)]
