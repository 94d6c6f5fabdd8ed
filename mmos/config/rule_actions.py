"""Checks what the routing rules do, on the data as written: each does something, and no two of its keys contradict each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from mmos.config.rules import RuleError, compile_rule
from mmos.config.wording import FromEnvironment, Place, listed, perhaps, with_type

Findings = Iterator[tuple[Place, str]]

ACTIONS = ("specialist", "prefer", "model", "strategy", "pattern")
"""The keys that say what a rule does."""

APART: tuple[tuple[str, str, str], ...] = (
    ("specialist", "prefer", "both say who is consulted"),
    ("specialist", "strategy", "with a strategy, the arbiter consults nobody first"),
    ("prefer", "strategy", "with a strategy, the arbiter consults nobody first"),
    ("specialist", "pattern", "both say who works on the task"),
    ("prefer", "pattern", "both say who works on the task"),
    ("model", "pattern", "both say who answers"),
    ("strategy", "pattern", "both say who answers"),
)
"""Keys that do not go together, and why."""


def findings(rules: Any, specialists: Collection[str]) -> Findings:
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict):
            for place, message in (*_roles(rule, specialists), *_actions(rule)):
                yield ("routing", "rules", index, *place), message


def _roles(rule: dict[str, Any], specialists: Collection[str]) -> Findings:
    preferred = rule.get("prefer")
    named: list[tuple[Place, Any]] = [(("specialist",), rule.get("specialist"))]
    named += [(("prefer", index), name) for index, name in enumerate(preferred if isinstance(preferred, list) else [])]
    for place, name in named:
        if isinstance(name, str) and name not in specialists:
            near = "" if isinstance(name, FromEnvironment) else perhaps(name, specialists)
            sentence = f"allowed: the name of a specialist: {listed(specialists)}" if specialists else "but there are no specialists"
            yield place, f"found {with_type(name)}, {sentence}{near}"


def _actions(rule: dict[str, Any]) -> Findings:
    given = [name for name in ACTIONS if rule.get(name) not in (None, [])]
    if not given:
        yield (), f"the rule does nothing; give it one of: {', '.join(ACTIONS)}"
    for one, other, why in APART:
        if one in given and other in given:
            yield (other,), f"'{one}' and '{other}' do not go together: {why}; remove one of them"
    if rule.get("strategy") == "intelligent" and "model" in given:
        yield ("strategy",), "'model' and 'strategy: intelligent' do not go together: both choose who answers; remove one of them"
    if rule.get("strategy") == "intelligent" and (later := _known_later(rule)):
        why = f"the strategy chooses who answers before the run begins, and {later} is known only during it"
        yield ("strategy",), f"found 'intelligent', which this rule cannot do: {why}; name a specialist or a model"


def _known_later(rule: dict[str, Any]) -> str:
    """The first fact of the rule that is known only during a run. Empty: none, or there is no condition."""
    condition = rule.get("condition")
    try:
        compiled = compile_rule(str.__str__(condition)) if isinstance(condition, str) else None
    except RuleError:
        return ""
    return min((name for name in compiled.names if not name.startswith("task.")), default="") if compiled else ""
