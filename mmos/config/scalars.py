"""Reads unquoted words of YAML by the core schema of YAML 1.2 (no dates, no base 60, `no` is text), durations, and sizes."""

from __future__ import annotations

import re
from collections.abc import Collection

_WORDS: dict[str, bool | None] = {"": None, "~": None}
for _form in (str.lower, str.capitalize, str.upper):
    _WORDS |= {_form("null"): None, _form("true"): True, _form("false"): False}

_WHOLE = re.compile(r"[-+]?[0-9]{1,40}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?")

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(rf"([0-9]+(?:\.[0-9]+)?)({'|'.join(_UNITS)})")
_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(GB|GiB|G|MB|MiB|M)", re.IGNORECASE)
_MB_OF_GB = 1024
LONGEST = 31_536_000
"""Seconds of a year; no wait is longer."""

Scalar = str | int | float | bool | None


def plain(text: str) -> Scalar:
    """The value of an unquoted word."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def duration(text: str, units: Collection[str] = ("ms", "s", "m", "h")) -> float | None:
    """Seconds of `30s`, `5m` or `1h30m`; None for other words."""
    parts = _PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text or not {unit for _, unit in parts} <= set(units):
        return None
    return sum(float(count) * _UNITS[unit] for count, unit in parts)


def seconds_of(text: str, least: float = 0.0, units: Collection[str] = ("ms", "s", "m", "h")) -> float | None:
    """The seconds of `90`, `30s` or `1h30m`. None if the text is no duration that a program can wait for."""
    number = plain(text) if (seconds := duration(text, units)) is None else seconds
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return float(number) if max(least, 1e-9) <= number <= LONGEST else None


def gigabytes(text: str) -> float | None:
    """Gigabytes of `2GB`, `1.5 GiB`, `512MB` or `2`; None for other words."""
    match = _SIZE.fullmatch(text.strip())
    if match is not None:
        return float(match[1]) / (1 if match[2].upper().startswith("G") else _MB_OF_GB)
    number = plain(text)
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
