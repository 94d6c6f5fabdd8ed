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


def nothing_wrong(_arguments: Mapping[str, Any]) -> str:
    return ""


def taking(spec: Spec, done: str, problem: Problem = nothing_wrong) -> Tool:
    """A tool that ends the exchange. `done`: its result."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        if why := problem(arguments):
            raise ToolError(why)
        await context.step(spec.name, lambda: dict(arguments))
        return done

    return Tool(spec, run, after_crash="repeat", repeatable=True, final=True)


def taken(scope: Scope, lane: str, *tools: str) -> list[tuple[str, Mapping[str, Any]]]:
    """What was said through these tools in a lane, in order: the name of each tool with its arguments."""
    steps = scope.view.steps.values()
    return [(step.key, step.value) for step in steps if step.lane == lane and step.key in tools and isinstance(step.value, dict)]


def spec_of(name: str, description: str, required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Spec:
    return Spec(name, description, parameters_of({**required, **(optional or {})}, list(required)))
