"""Makes tools that only take what a model says: their arguments are kept as a step, and read when the model has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.scope import Scope
from mmos.toolbox import Tool, parameters_of

Problem = Callable[[Mapping[str, Any]], str]
"""What is wrong with arguments, as the model reads it. Empty: nothing."""

Mend = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""The arguments that are taken in place of those that do not fit. None: they cannot be used."""


def nothing_wrong(_arguments: Mapping[str, Any]) -> str:
    return ""


def taking(spec: Spec, done: str, problem: Problem = nothing_wrong, *, patience: int | None = None, mend: Mend | None = None) -> Tool:
    """A tool that ends the exchange. `done`: its result. `patience`: so many calls that fail are answered; the next one ends the exchange, too."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        if why := problem(arguments):
            if patience is not None and _failed(context.scope, spec.name) >= patience:
                return ""
            raise ToolError(why)
        await context.step(spec.name, lambda: dict(arguments))
        return done

    return Tool(spec, run, after_crash="repeat", repeatable=True, final=True, mend=mend)


def _failed(scope: Scope, tool: str) -> int:
    """How many calls of a tool have failed in this exchange."""
    return sum(end.lane == scope.lane and end.tool == tool and not end.ok for end in scope.view.finished_calls.values())


def taken(scope: Scope, lane: str, *tools: str) -> list[tuple[str, Mapping[str, Any]]]:
    """What was said through these tools in a lane, in order: the name of each tool with its arguments."""
    steps = scope.view.steps.values()
    return [(step.key, step.value) for step in steps if step.lane == lane and step.key in tools and isinstance(step.value, dict)]


def spec_of(name: str, description: str, required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Spec:
    return Spec(name, description, parameters_of({**required, **(optional or {})}, list(required)))
