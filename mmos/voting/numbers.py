"""Reads the number that an answer gives."""

from __future__ import annotations

import re

_NUMBER = r"[-−+]?(?:\d{1,3}(?:[,  ]\d{3})+(?!\d)|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?"
_ONE = re.compile(rf"(?<![\w.])[$€£]?\s?(?=[-−+.\d])({_NUMBER})(?:\s*/\s*(\d+(?:\.\d+)?)(?![\d/]))?")
_FRACTION = re.compile(r"([-−]?)\\d?frac\{\s*(-?\d+(?:\.\d+)?)\s*\}\{\s*(\d+(?:\.\d+)?)\s*\}")
_MARKS = (
    re.compile(r"####\s*(.{1,80})"),
    re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\}){1,80})\}"),
    re.compile(r"(?im)^\W*(?:final\s+)?answer\W{0,4}(?:is\s*)?[:=]?\s*(.{1,80})$"),
    re.compile(r"(?m)^A:\s*(.{1,80})$"),
    re.compile(r"(?i)\b(?:final\s+answer|answer|total|result)\s+(?:is|was|=|equals)\s*:?\s*(.{1,80})"),
)
"""What announces the number, the surest first."""
_CALCULATED = re.compile(r"<<[^<>]*>>")


def number_of(text: str) -> str | None:
    """The number as a plain decimal. Of several, the announced one, else the last."""
    plain = _CALCULATED.sub("", text)
    for mark in _MARKS:
        for announced in reversed(mark.findall(plain)):
            found = _numbers(announced)
            if found:
                return found[-1] if "=" in announced else found[0]
    found = _numbers(plain)
    return found[-1] if found else None


def _numbers(text: str) -> list[str]:
    text = _FRACTION.sub(lambda match: f"{match[1]}{match[2]}/{match[3]}", text.replace("\\$", "$").replace("**", ""))
    return [value for match in _ONE.finditer(text) if (value := _value(match[1], match[2])) is not None]


def _value(number: str, divisor: str | None) -> str | None:
    digits = re.sub(r"[,  ]", "", number).replace("−", "-")
    try:
        value = float(digits) / float(divisor) if divisor else float(digits)
    except (ValueError, ZeroDivisionError):
        return None
    if value != value or abs(value) == float("inf"):
        return None
    return f"{round(value, 6):.12g}".replace("-0", "0") if value == 0 else f"{round(value, 6):.12g}"
