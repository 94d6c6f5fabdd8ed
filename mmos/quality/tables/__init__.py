"""Tables of names that exist: of standard libraries, and of packages that many people use (`scripts/name_tables.py` makes them)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
ANY = "*"
"""Stands in a module whose names nobody can list."""


@cache
def table(kind: str) -> Mapping[str, str]:
    """The names of each module, separated by spaces."""
    found: dict[str, str] = json.loads(gzip.decompress((FOLDER / f"{kind}.json.gz").read_bytes()))
    return found


@cache
def names(kind: str, module: str) -> frozenset[str]:
    """The names of a module; empty if there is no such module."""
    return frozenset(table(kind).get(module, "").split())


@cache
def words(name: str) -> frozenset[str]:
    """The words of a list that people wrote: `imports`, how packages with another name are imported, and `local`, names of modules of projects."""
    return frozenset((FOLDER / f"{name}.txt").read_text(encoding="utf-8").split())
