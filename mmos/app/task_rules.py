"""Holds the routing rules about tasks, and says which of them MMOS acts on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mmos.app.lifecycle import RunOptions
from mmos.config.moments import moment_of
from mmos.config.routing_schema import Routing, Rule
from mmos.config.rules import compile_rule

if TYPE_CHECKING:  # not needed before a task is routed
    from mmos.choice.facts import Rules


class TaskRules:
    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        self.by_number: dict[int, Rule] = {}
        """The rules about tasks, by their place in the configuration."""
        self.later = False
        """Whether there are rules about what happens in a run."""
        self.later_need_task = False
        """Whether one of those also names a fact about the task."""
        for number, rule in enumerate(routing.rules, 1):
            condition = compile_rule(rule.condition)
            moment = moment_of(condition, rule.specialist)
            if moment == "task":
                self.by_number[number] = rule
            elif moment == "turn":
                self.later = True
                self.later_need_task |= any(name.startswith("task.") for name in condition.names)

    @cached_property
    def compiled(self) -> Rules:
        """The rules about tasks, compiled once."""
        from mmos.choice.facts import Rules

        return Rules.of((rule.condition, rule.specialist or "") for rule in self.by_number.values())


def is_enforced(routing: Routing, rule: Rule, options: RunOptions) -> bool:
    """Whether MMOS acts on a rule itself. The strategy intelligent acts on every rule."""
    if options.strategy == "intelligent":
        return True
    return routing.enforce if rule.enforce is None else rule.enforce
