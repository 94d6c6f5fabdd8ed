"""Unquoted values and Python-style calls inside a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Word(str):
    """Text that stood without quotes: a word, an expression, a placeholder."""

    __slots__ = ()


def counted(digits: str) -> int | float | Word:
    """A number as it was written; what no JSON can hold stays the words that it was."""
    if len(digits) < 19 and digits.lstrip("+-").isdigit():
        return int(digits)
    found = float(digits)
    return found if math.isfinite(found) else Word(digits)


@dataclass(frozen=True)
class Spoken:
    """A call in the syntax of Python: `name(1, key=2)`."""

    name: str
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """What was read, where it ends, what had to be forgiven, and whether its end was missing."""

    value: Any
    end: int
    repairs: tuple[str, ...] = ()
    cut: bool = False
    torn: bool = False
    """The end was missing in the middle of a text: nobody knows what it would have said."""
