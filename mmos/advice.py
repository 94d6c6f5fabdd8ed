"""Says what the role that answers reads in its first turn about the rule that its task meets."""

from __future__ import annotations

from mmos.choice_events import TaskRouted
from mmos.prompting.templates import Templates
from mmos.scope import Scope


def line(scope: Scope, templates: Templates) -> str:
    """What stands before the last message of the user. Empty: nothing."""
    route = scope.view.route
    if route is None or not route.advice or scope.lane != scope.view.lane or scope.exchange.turns:
        return ""
    kind = route.type or templates.fill("route_unclear")
    return templates.fill("route", type=kind, complexity=str(route.complexity), rest=_suggestions(route, templates))


def _suggestions(route: TaskRouted, templates: Templates) -> str:
    """A sentence for each thing that the rule suggests. The journal of a stranger may have others."""
    told = {
        "must": lambda value: templates.fill("route_must", specialist=value),
        "specialist": lambda value: templates.fill("route_consult", specialist=value),
        "prefer": lambda value: templates.fill("route_prefer", specialists=value),
        "model": lambda value: templates.fill("route_model", model=value),
        "strategy": lambda value: templates.fill("route_single") if value == "single" else templates.fill("route_intelligent"),
    }
    return " ".join(told[name](_text(value)) for name, value in route.advice.items() if name in told)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
