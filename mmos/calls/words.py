"""Unquoted values and Python-style calls inside a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Word(str):
    """A text without quotes: a word, an expression or a placeholder."""

    __slots__ = ()


def parse_number(digits: str) -> int | float | Word:
    """The number. One that JSON cannot contain stays a word."""
    if len(digits) < 19 and digits.lstrip("+-").isdigit():
        return int(digits)
    as_float = float(digits)
    return as_float if math.isfinite(as_float) else Word(digits)


@dataclass(frozen=True)
class PythonCall:
    """A call in the syntax of Python: `name(1, key=2)`."""

    name: str
    positional: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """A value, its end in the text, its repairs, and whether its end is missing."""

    value: Any
    end: int
    repairs: tuple[str, ...] = ()
    cut: bool = False
    torn: bool = False
    """Whether it ends in the middle of a text, so that a part of the value is unknown."""
