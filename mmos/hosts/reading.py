"""Reads the values of a response. A value of another type, or beyond its limits, counts as absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from mmos.checking import is_deep, is_model_name

EXACT = 2**53
"""The largest count. Every reader of JSON keeps numbers up to here exactly."""
TOKENS = 2**31
"""The longest prompt and the largest window."""
TOGETHER = 4
"""So many lines are read faster together than each by itself."""
DEEPEST = 100
"""Levels of lists and objects in one response. JSON of more levels cannot be written again."""
PARTS = 1_000_000
"""Lists and objects in one response. Each takes much more memory than its text."""
LINE = 256
"""Characters of a name, a version or a digest."""
PAGE = 1 << 20
"""Characters of a template."""
NAMES = 100
DIMENSIONS = 1 << 16
"""Numbers in one vector."""

_NANO = 1_000_000_000


def parsed(data: bytes | str) -> Any:
    """The data of a JSON text. Raises ValueError if it is no JSON, or too large or too deep."""
    if len(data) <= 2 * DEEPEST:  # like most lines of a stream; each level takes two characters
        return orjson.loads(data)
    openings = data.count(b"[") + data.count(b"{") if isinstance(data, bytes) else data.count("[") + data.count("{")
    if openings > PARTS:
        raise ValueError("too many parts")
    tree = orjson.loads(data)
    if openings > DEEPEST and is_deep(tree, DEEPEST):
        raise ValueError("nested too deeply")
    return tree


def parsed_together(lines: Sequence[bytes]) -> Sequence[dict[str, Any]]:
    """The data of short lines that are JSON objects, read in one go. Empty: one of them is not, so whoever asks takes each by itself."""
    if len(lines) < TOGETHER or max(map(len, lines)) > 2 * DEEPEST:
        return ()
    try:
        found = orjson.loads(b"[%b]" % b",".join(lines))
    except ValueError:
        return ()
    return found if len(found) == len(lines) and {*map(type, found)} == {dict} else ()


def parsed_or_none(data: bytes | str) -> Any:
    try:
        return parsed(data)
    except ValueError:
        return None


def count(value: object, most: int = EXACT) -> int | None:
    """A whole number from 0. Some servers write it with a decimal point."""
    if type(value) is int:
        return value if 0 <= value <= most else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= most else None


def number(value: object) -> float | None:
    """A number from 0 to the largest count."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= EXACT
    return value if known and isinstance(value, int | float) else None


def tokens(value: object) -> int:
    return count(value, TOKENS) or 0


def seconds(value: object) -> float:
    """The seconds of a duration in nanoseconds, as Ollama writes them."""
    return (count(value) or 0) / _NANO


def word(value: object) -> str:
    """A name: one short line of printable characters."""
    return value if isinstance(value, str) and len(value) <= LINE and value.isprintable() else ""


def model(value: object) -> str:
    """The name of a model."""
    name = word(value)
    return name if is_model_name(name) else ""


def page(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= PAGE else ""


def words(value: object) -> frozenset[str] | None:
    return frozenset(filter(None, map(word, value[:NAMES]))) if isinstance(value, list) else None


def part(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def moment(value: object) -> str:
    """A time in ISO format, unchanged. Empty: it is none."""
    try:
        datetime.fromisoformat(word(value))
    except ValueError:
        return ""
    return word(value)


def vector(value: object) -> list[float] | None:
    if not isinstance(value, list) or not 0 < len(value) <= DIMENSIONS:
        return None
    try:
        return [float(one) for one in value] if all(map(math.isfinite, value)) else None
    except TypeError:
        return None
