"""Calculates with the facts of a condition: what is not known, divides by zero or is too large has no result."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

LARGEST = 1e15
"""Beyond it, a number has no exact value."""

OPERATIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
DIVISIONS = (ast.Div, ast.FloorDiv, ast.Mod)

Number = Callable[[Mapping[str, Mapping[str, Any]]], float | None]


def is_calculation(node: ast.expr) -> bool:
    """Whether it calculates, or is a number with a sign."""
    return isinstance(node, ast.BinOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd))


def has_facts(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Attribute) for part in ast.walk(node))


def number_of(value: Any) -> float | None:
    """The value, if it is a number of a usual size. True and false are no numbers."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and -LARGEST <= value <= LARGEST else None


def fact_number(subject: str, attribute: str) -> Number:
    def value(facts: Mapping[str, Mapping[str, Any]]) -> float | None:
        group = facts.get(subject)
        return number_of(group.get(attribute)) if group is not None else None

    return value


def negated(number: Number) -> Number:
    def value(facts: Mapping[str, Mapping[str, Any]]) -> float | None:
        found = number(facts)
        return None if found is None else -found

    return value


def calculated(left: Number, sign: type[ast.operator], right: Number) -> Number:
    work, divides = OPERATIONS[sign], sign in DIVISIONS

    def value(facts: Mapping[str, Mapping[str, Any]]) -> float | None:
        one, other = left(facts), right(facts)
        if one is None or other is None or (divides and other == 0):
            return None
        return number_of(work(one, other))

    return value
