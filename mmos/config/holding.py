"""Finds conditions that can never be true, by trying one example of each case that their comparisons distinguish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product
from math import inf, prod
from typing import Any

from mmos.config.facts import COUNT, FACTS, RANGES, TASK_CLASSES
from mmos.config.rules import Rule

MOST = 1_000
"""The most examples to try. A condition with more of them counts as one that may be true."""
LARGEST = 1e15


def impossible(rule: Rule) -> str:
    """Why the condition is never true; empty if it may be."""
    if _may_hold(rule, RANGES):
        return ""
    if not rule.names:
        return "this is never true"
    if not _may_hold(rule, {}):
        return f"this can never be true, for any value of {' and '.join(sorted(rule.names))}"
    limits = [f"{name} is from {RANGES[name][0]:g} to {RANGES[name][1]:g}" for name in sorted(rule.names & RANGES.keys())]
    return f"this can never be true: {', '.join(limits) or 'no count is below 0'}"


def _may_hold(rule: Rule, ranges: Mapping[str, tuple[float, float]]) -> bool:
    names = sorted(rule.names)
    examples = [_examples(name, rule.comparisons.get(name, ()), ranges) for name in names]
    if not rule.plain or any(not kinds for kinds in examples) or prod(map(len, examples)) > MOST:
        return True
    return any(rule.evaluate(_facts(names, values)) for values in product(*examples))


def _facts(names: Sequence[str], values: Iterable[Any]) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    for name, value in zip(names, values, strict=True):
        subject, _, attribute = name.partition(".")
        facts.setdefault(subject, {})[attribute] = value
    return facts


def _examples(name: str, values: Sequence[Any], ranges: Mapping[str, tuple[float, float]]) -> list[Any]:
    """Values of a fact, one for each case that the comparisons distinguish. A fact may always be absent."""
    if name == "task.type":
        return [None, *TASK_CLASSES]
    if FACTS[name] == "flag":
        return [None, False, True]
    if FACTS[name] == "number":
        return _numbers(values, ranges.get(name, COUNT if ranges else (-inf, inf)))
    words = {word for word in values if isinstance(word, str)}
    return [None, "", *sorted(words), "".join(words) + "…"] if FACTS[name] == "text" else [None, [], ["…"]]


def _numbers(values: Sequence[Any], limits: tuple[float, float]) -> list[Any]:
    """The compared numbers, some between them and some beyond, within the limits."""
    marks = {0, *(number for number in values if isinstance(number, int | float))}
    if any(not -LARGEST < number < LARGEST for number in marks):
        return []
    low, high = max(limits[0], min(marks) - 1), min(limits[1], max(marks) + 1)
    inside = sorted({low, high, *(number for number in marks if low < number < high)})
    return [None, *inside, *((one + other) / 2 for one, other in pairwise(inside))]
