"""Checks the conditions of routing rules against the classes of tasks and against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmos.config.document import Document
from mmos.config.facts import ALIASES, TASK_CLASSES
from mmos.config.holding import implies, impossible, is_always_true, witnesses
from mmos.config.moments import moment_of
from mmos.config.rules import Rule, RuleError, compile_rule
from mmos.config.wording import FromEnvironment, Place, with_type

RULES: Place = ("routing", "rules")
CLASSES: Place = ("routing", "classes")
MOST_RULES = 200
"""How many rules are compared with each other."""
MOST_PAIRS = 100
"""How many pairs of rules are compared case by case, after a few cases have not told them apart."""
FEW = 8

ALLOWED = "a condition that can be true, with classes of tasks that exist"

Findings = Iterator[tuple[Place, str]]


def classes_of(routing: Any) -> tuple[str, ...]:
    """All classes of tasks, the own ones of a configuration last."""
    classes = routing.get("classes") if isinstance(routing, dict) else None
    own = [name for name in classes if isinstance(name, str)] if isinstance(classes, dict) else []
    return (*TASK_CLASSES, *(name for name in own if name not in TASK_CLASSES))


def conditions(routing: Any) -> Findings:
    """Conditions that name no class of tasks, or that can never be true. What is no condition at all is reported elsewhere."""
    classes = classes_of(routing)
    rules = routing.get("rules") if isinstance(routing, dict) else None
    faults: dict[str, str] = {}
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        condition = rule.get("condition") if isinstance(rule, dict) else None
        if isinstance(condition, str):
            text = str.__str__(condition)
            faults[text] = faults[text] if text in faults else _fault(text, classes)
            if faults[text]:
                is_hidden = isinstance(condition, FromEnvironment)
                yield (*RULES, index, "condition"), f"found {with_type(condition)}, allowed: {ALLOWED}" if is_hidden else faults[text]


def _fault(condition: str, classes: Sequence[str]) -> str:
    try:
        compile_rule(condition)
    except RuleError:
        return ""
    try:
        return impossible(compile_rule(condition, classes), classes)
    except RuleError as error:
        return str(error)


def taken_names(routing: Any) -> Findings:
    """Own classes with the name of another class."""
    classes = routing.get("classes") if isinstance(routing, dict) else None
    for name in classes if isinstance(classes, dict) else ():
        if name in TASK_CLASSES or name in ALIASES:
            meaning = f" and means {ALIASES[name]}" if name in ALIASES else ""
            yield (*CLASSES, name), f"'{name}' is a class of MMOS{meaning}; choose another name"


def covered(written: Sequence[tuple[str, str | None]], classes: Sequence[str], document: Document) -> Findings:
    """Rules that never count, because an earlier one is true whenever they are. `written`: their conditions and their specialists."""
    rules = [compile_rule(condition) for condition, _ in written[:MOST_RULES]]
    moments = [moment_of(rule, specialist) for rule, (_, specialist) in zip(rules, written, strict=False)]
    left = MOST_PAIRS
    for later, rule in enumerate(rules):
        cases = witnesses(rule, FEW, classes)
        for earlier, other in enumerate(rules[:later]):
            if moments[later] != moments[earlier] or not all(other.holds_in(case) for case in cases) or not left:
                continue
            left -= 1
            if reason := _cover(other, rule, classes, at_once=moments[later] == "turn"):
                where = f"rule {earlier + 1} ({document.where(('orchestration', *RULES, earlier, 'condition'))})"
                yield (*RULES, later, "condition"), f"this rule never counts: {where} {reason}, and the first true rule counts"
                break


def _cover(earlier: Rule, later: Rule, classes: Sequence[str], *, at_once: bool) -> str:
    """`at_once`: a rule counts when it becomes true, so only one that becomes true with it takes its place."""
    if " ".join(earlier.text.split()) == " ".join(later.text.split()):
        return "has the same condition"
    if at_once:
        return "is true exactly when this one is" if implies(later, earlier, classes) and implies(earlier, later, classes) else ""
    if is_always_true(earlier, classes):
        return "is always true"
    return "is true whenever this one is" if implies(later, earlier, classes) else ""
