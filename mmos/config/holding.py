"""Finds conditions that can never be true, or only when another one is, by trying each case that their comparisons distinguish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise, product
from math import inf, prod
from typing import Any

from mmos.config.facts import COUNT, FACTS, RANGES, TASK_CLASSES
from mmos.config.rules import Rule, compile_rule

MOST = 1_000
"""The most cases to try. A condition with more of them counts as one that may be true."""
MOST_OF_TWO = 5_000
LARGEST = 1e15
Ranges = Mapping[str, tuple[float, float]]
Case = dict[str, dict[str, Any]]

_ALWAYS = compile_rule("true")


def impossible(rule: Rule, classes: Sequence[str] = TASK_CLASSES) -> str:
    """Why the condition is never true; empty if it may be."""
    if _may_hold(rule, RANGES, classes):
        return ""
    if not rule.names:
        return "this is never true"
    if not _may_hold(rule, {}, classes):
        return f"this can never be true, for any value of {' and '.join(sorted(rule.names))}"
    limits = [f"{name} is from {RANGES[name][0]:g} to {RANGES[name][1]:g}" for name in sorted(rule.names & RANGES.keys())]
    return f"this can never be true: {', '.join(limits) or 'no count is below 0'}"


def implies(rule: Rule, other: Rule, classes: Sequence[str] = TASK_CLASSES) -> bool:
    """Whether the other condition is true whenever this one is. False if there are too many cases to know."""
    cases = _cases([rule, other], RANGES, classes, MOST_OF_TWO)
    return cases is not None and all(other.holds_in(case) for case in cases if rule.holds_in(case))


def is_always_true(rule: Rule, classes: Sequence[str] = TASK_CLASSES) -> bool:
    return implies(_ALWAYS, rule, classes)


def witnesses(rule: Rule, most: int, classes: Sequence[str] = TASK_CLASSES) -> list[Case]:
    """A few cases in which the condition is true."""
    cases = _cases([rule], RANGES, classes, MOST)
    return list(islice((case for case in cases or () if rule.holds_in(case)), most))


def _may_hold(rule: Rule, ranges: Ranges, classes: Sequence[str]) -> bool:
    cases = _cases([rule], ranges, classes, MOST)
    return cases is None or any(rule.holds_in(case) for case in cases)


def _cases(rules: Sequence[Rule], ranges: Ranges, classes: Sequence[str], most: int) -> Iterator[Case] | None:
    """Every case that the conditions distinguish; None if there are too many."""
    names = sorted({name for rule in rules for name in rule.names})
    opaque = sorted({text for rule in rules for text in rule.opaque})
    compared = {name: [*chain.from_iterable(rule.comparisons.get(name, ()) for rule in rules)] for name in names}
    examples = [_examples(name, compared[name], ranges, classes) for name in names] + [[False, True]] * len(opaque)
    if any(not kinds for kinds in examples) or prod(map(len, examples)) > most:
        return None
    return (_case(names, opaque, values) for values in product(*examples))


def _case(names: Sequence[str], opaque: Sequence[str], values: Sequence[Any]) -> Case:
    case: Case = {"opaque": dict(zip(opaque, values[len(names) :], strict=True))}
    for name, value in zip(names, values, strict=False):
        subject, _, attribute = name.partition(".")
        case.setdefault(subject, {})[attribute] = value
    return case


def _examples(name: str, values: Sequence[Any], ranges: Ranges, classes: Iterable[str]) -> list[Any]:
    """Values of a fact, one for each case that the comparisons distinguish. A fact may always be absent."""
    if name == "task.type":
        return [None, *classes]
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
