"""Reads the number that an answer gives."""

from __future__ import annotations

import math
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
_POWER = re.compile(r"(?<![\w.])([-−]?\d+(?:\.\d+)?)\s*(?:\\times|\\cdot|[×x*·])\s*10\s*\^\s*\{?\s*([-−]?\d{1,3})\}?")
_MIXED = re.compile(r"(?<![\w.,/])(\d{1,6})\s+(\d{1,4})\s*/\s*([1-9]\d{0,3})(?![\d/])")
_SIZE = re.compile(r"(\d)\s*(thousand|million|billion|trillion)\b", re.IGNORECASE)
_ZEROS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred")
_WORDS = {word: place for place, word in enumerate(_UNITS)} | {word: 10 * place for place, word in enumerate(_TENS, 2)}
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.IGNORECASE)
_SHORT = 80
"""Characters of an answer in which a number in words counts."""
LEAST = 1e-3
"""Larger numbers are compared to six places."""
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
    return found[-1] if found else _in_words(plain)


def _in_words(text: str) -> str | None:
    words = _WORD.findall(text) if len(text) < _SHORT else []
    if len(text.split()) > 2:
        words = [word for word in words if word.lower() != "one"]
    return str(_WORDS[words[0].lower()]) if len(words) == 1 else None


def _numbers(text: str) -> list[str]:
    text = _FRACTION.sub(lambda match: f"{match[1]}{match[2]}/{match[3]}", text.replace("\\$", "$").replace("**", ""))
    text = _POWER.sub(lambda match: f"{match[1]}e{match[2]}".replace("−", "-"), text)
    text = _MIXED.sub(lambda match: str(int(match[1]) + int(match[2]) / int(match[3])), text)
    text = _SIZE.sub(lambda match: f"{match[1]}e{_ZEROS[match[2].lower()]}", text)
    return [value for match in _ONE.finditer(text) if (value := _value(match[1], match[2])) is not None]


def _value(number: str, divisor: str | None) -> str | None:
    digits = re.sub(r"[,\s]", "", number).replace("−", "-")
    try:
        value = float(digits) / float(divisor) if divisor else float(digits)
    except (ValueError, ZeroDivisionError):
        return None
    if not math.isfinite(value):
        return None
    return f"{round(value, 6) if abs(value) >= LEAST else value:.12g}" if value else "0"
