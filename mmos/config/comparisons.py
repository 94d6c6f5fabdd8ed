"""Makes the tests that conditions consist of. A test reads facts, and is false where it compares one that is absent."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SIGNS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}

Facts = Mapping[str, Mapping[str, Any]]
Test = Callable[[Facts], Any]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: what finds its value, or the written value."""

    test: Test | None
    value: Any = None

    @property
    def is_null(self) -> bool:
        return self.test is None and self.value is None


def fact(subject: str, attribute: str) -> Test:
    def value(facts: Facts) -> Any:
        group = facts.get(subject)
        return group.get(attribute) if group is not None else None

    return value


def all_of(tests: Sequence[Test]) -> Test:
    def every(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 (a loop takes half the time of all() with a generator)
            if not test(facts):
                return False
        return True

    return every


def any_of(tests: Sequence[Test]) -> Test:
    def one(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110
            if test(facts):
                return True
        return False

    return one


def comparison(left: Side, sign: type[ast.cmpop], right: Side) -> Test:
    """An absent fact equals only null."""
    compare, with_null = SIGNS[sign], left.is_null or right.is_null
    if left.test is not None and right.test is None and not with_null:
        return _with_value(left.test, compare, right.value)
    find_left, find_right = _finding(left), _finding(right)

    def holds(facts: Facts) -> bool:
        one, other = find_left(facts), find_right(facts)
        if (one is None or other is None) and not with_null:
            return False
        try:
            return bool(compare(one, other))
        except TypeError:  # 3 in 5, 'a' < 1: the rule is false; the run has no error
            return False

    return holds


def _with_value(find: Test, compare: Callable[[Any, Any], Any], value: Any) -> Test:
    """The usual comparison, of a fact with a written value, in few steps."""

    def holds(facts: Facts) -> bool:
        found = find(facts)
        if found is None:
            return False
        try:
            return bool(compare(found, value))
        except TypeError:
            return False

    return holds


def _finding(side: Side) -> Test:
    value = side.value
    return side.test or (lambda _facts: value)
