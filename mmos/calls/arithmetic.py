"""Computes sums that a model wrote where a number is required, such as `2 * math.pi` or `6*12+2`, without evaluating code."""

from __future__ import annotations

import math
import re

LONGEST = 80
LARGEST = 1e15
MOST_POWER = 64

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(\*\*|//|[-+*/%()^])|((?:math\.|np\.|numpy\.)?(?:pi|e|tau)\b|π))")
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "π": math.pi}
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\b0\d|\d+-\d+-\d+|\d+/\d+/\d+")


class _NoSum(ValueError):
    pass


def number(text: str) -> float | int | None:
    """The result of a sum of plain numbers. None: the text is no sum, or looks like a date."""
    if not 0 < len(text) <= LONGEST or _DATE.search(text):
        return None
    try:
        tokens = _tokens(text)
        worth, place = _sum(tokens, 0, 0)
    except (_NoSum, OverflowError, ZeroDivisionError, IndexError):
        return None
    if place != len(tokens) or isinstance(worth, complex) or abs(worth) > LARGEST:
        return None
    return worth


def _tokens(text: str) -> list[str | float | int]:
    tokens: list[str | float | int] = []
    place = 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _NoSum(text)
        if found[1]:
            tokens.append(int(found[1]) if found[1].isdigit() else float(found[1]))
        elif found[2]:
            tokens.append("**" if found[2] == "^" else found[2])
        else:
            tokens.append(_CONSTANTS[found[3].rpartition(".")[2]])
        place = found.end()
    return tokens


def _sum(tokens: list[str | float | int], at: int, depth: int) -> tuple[float | int, int]:
    left, at = _product(tokens, at, depth)
    while at < len(tokens) and tokens[at] in ("+", "-"):
        right, after = _product(tokens, at + 1, depth)
        left, at = (left + right if tokens[at] == "+" else left - right), after
    return left, at


def _product(tokens: list[str | float | int], at: int, depth: int) -> tuple[float | int, int]:
    left, at = _power(tokens, at, depth)
    while at < len(tokens) and tokens[at] in ("*", "/", "//", "%"):
        sign = tokens[at]
        right, at = _power(tokens, at + 1, depth)
        left = left * right if sign == "*" else left / right if sign == "/" else left // right if sign == "//" else left % right
    return left, at


def _power(tokens: list[str | float | int], at: int, depth: int) -> tuple[float | int, int]:
    if tokens[at] in ("-", "+"):
        worth, after = _power(tokens, at + 1, depth)
        return (-worth if tokens[at] == "-" else worth), after
    base, at = _atom(tokens, at, depth)
    if at < len(tokens) and tokens[at] == "**":
        exponent, at = _power(tokens, at + 1, depth)
        if abs(exponent) > MOST_POWER or abs(base) > LARGEST:
            raise _NoSum("too large")
        base = base**exponent
    return base, at


def _atom(tokens: list[str | float | int], at: int, depth: int) -> tuple[float | int, int]:
    token = tokens[at]
    if token == "(" and depth < 10:
        worth, at = _sum(tokens, at + 1, depth + 1)
        if tokens[at] != ")":
            raise _NoSum("bracket")
        return worth, at + 1
    if isinstance(token, str):
        raise _NoSum(token)
    return token, at + 1
