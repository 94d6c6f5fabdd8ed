"""Says when a routing rule is tried: on the task, at each turn of a run, or on a reply that cannot be read."""

from __future__ import annotations

from typing import Literal

from mmos.config.rules import Rule

Moment = Literal["task", "turn", "unclear"]
"""task: before the run, by what the task is. turn: at each turn of the arbiter, by what has happened. unclear: the rule names the interpreter."""

UNCLEAR = "response.unclear_tool_calls"


def moment_of(rule: Rule, specialist: str | None) -> Moment:
    """When a rule with this condition and this specialist is tried."""
    if all(name.startswith("task.") for name in rule.names):
        return "task"
    return "unclear" if specialist and UNCLEAR in rule.names and rule.evaluate({"response": {"unclear_tool_calls": True}}) else "turn"
