"""Holds the routing rules about tasks, and says which of them MMOS acts on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mmos.app.lifecycle import RunOptions
from mmos.config.facts import IDLE
from mmos.config.routing_schema import Routing, Rule
from mmos.config.rules import compile_rule

if TYPE_CHECKING:  # not needed before a task is routed
    from mmos.choice.facts import Rules


class TaskRules:
    def __init__(self, routing: Routing) -> None:
        self._enforce = routing.enforce
        self.by_number = {
            number: rule
            for number, rule in enumerate(routing.rules, 1)
            if all(name.startswith("task.") and name not in IDLE for name in compile_rule(rule.condition).names)
        }
        """The rules about tasks, by their place in the configuration. No run meets another one."""

    @cached_property
    def compiled(self) -> Rules:
        """The rules about tasks, compiled once."""
        from mmos.choice.facts import Rules

        return Rules.of((rule.condition, rule.specialist or "") for rule in self.by_number.values())

    def is_enforced(self, rule: Rule, options: RunOptions) -> bool:
        """Whether MMOS acts on a rule itself. The strategy intelligent acts on every rule."""
        if options.strategy == "intelligent":
            return True
        return self._enforce if rule.enforce is None else rule.enforce
