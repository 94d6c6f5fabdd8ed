"""Says what the role that answers reads about rules: in its first turn the one that its task meets, later those that become true."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmos.choice_events import RuleMet, TaskRouted
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.views.rules import facts_in_words

Words = Mapping[str, Callable[[str], str]]
"""For each key of a rule, the sentence about its value."""


def line(scope: Scope, templates: Templates) -> str:
    """What stands before the last message of the user. Empty: nothing."""
    view, turns = scope.view, scope.exchange.turns
    if scope.lane != view.lane:
        return ""
    route = "" if view.route is None or not view.route.advice or turns else _of_task(view.route, templates)
    rule = view.rules.told(scope.lane, turns)
    return "\n".join(filter(None, (route, _of_run(rule, templates) if rule is not None and rule.advice else "")))


def _of_task(route: TaskRouted, templates: Templates) -> str:
    kind = route.type or templates.fill("route_unclear")
    words: Words = {
        "must": lambda value: templates.fill("route_must", specialist=value),
        "specialist": lambda value: templates.fill("route_consult", specialist=value),
        "prefer": lambda value: templates.fill("route_prefer", specialists=value),
        "model": lambda value: templates.fill("route_model", model=value),
        "strategy": lambda value: templates.fill("route_single") if value == "single" else templates.fill("route_intelligent"),
        "pattern": lambda value: templates.fill("route_pattern", pattern=value),
    }
    return templates.fill("route", type=kind, complexity=str(route.complexity), rest=_sentences(route.advice, words))


def _of_run(rule: RuleMet, templates: Templates) -> str:
    words: Words = {
        "must": lambda value: templates.fill("route_must", specialist=value),
        "specialist": lambda value: templates.fill("rule_consult", specialist=value),
        "prefer": lambda value: templates.fill("rule_prefer", specialists=value),
        "model": lambda value: templates.fill("rule_model", model=value),
        "strategy": lambda _: templates.fill("rule_answer_now") if rule.acted else templates.fill("rule_answer"),
        "pattern": lambda value: templates.fill("rule_pattern", pattern=value),
        "use": lambda value: templates.fill("rule_use_pattern", pattern=value),
    }
    facts, rest = facts_in_words(rule.facts), _sentences(rule.advice, words)
    return templates.fill("rule_met", number=str(rule.number), condition=rule.condition, facts=facts, rest=rest)


def _sentences(advice: Mapping[str, object], words: Words) -> str:
    """A sentence for each thing that the rule suggests. The journal of a stranger may have others."""
    return " ".join(words[name](_text(value)) for name, value in advice.items() if name in words)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
