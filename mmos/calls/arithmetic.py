"""Computes sums that a model wrote where a number is required, such as `2 * math.pi` or `6*12+2`, without evaluating code."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

LONGEST = 80
LARGEST = 1e15
MOST_POWER = 64

_NUMBER = r"\d++\.?\d*+(?:[eE][-+]?\d++)?+|\.\d++"
_SUM = re.compile(rf"\s*+(?:(?:{_NUMBER}|\*\*|//|[-+*/%()^]|(?:(?:math\.|np\.|numpy\.)?(?:pi|e|tau)\b|π))\s*+)++")
_MODULES = re.compile(r"\b(?:math|np|numpy)\.")
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "π": math.pi}
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\b0\d|\d+-\d+-\d+|\d+/\d+/\d+")
_SIGNS: Mapping[type[ast.AST], Callable[..., float | int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: operator.pow, ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip


class _NoSum(ValueError):
    pass


def number(text: str) -> float | int | None:
    """The result of a sum of plain numbers. None: the text is no sum, or looks like a date."""
    if not 0 < len(text) <= LONGEST or _DATE.search(text) or not _SUM.fullmatch(text):
        return None
    try:
        plain = " ".join(_MODULES.sub("", text).replace("^", "**").split())
        worth = _worth(ast.parse(plain, mode="eval").body)
    except (_NoSum, SyntaxError, OverflowError, ZeroDivisionError):
        return None
    return worth if not isinstance(worth, complex) and abs(worth) <= LARGEST else None  # nan is none, either


def _worth(node: ast.expr) -> float | int:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_worth(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            one, other = _worth(left), _worth(right)
            if isinstance(sign, ast.Pow) and (abs(other) > MOST_POWER or abs(one) > LARGEST):
                raise _NoSum("too large")
            return _SIGNS[type(sign)](one, other)
    raise _NoSum(ast.unparse(node))
