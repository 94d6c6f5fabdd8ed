"""Makes the tool with which a model has a question answered by a larger model in place of a specialist's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of
from mmos.tools.consult import Consultation

NAME = "reconsider_with_larger_model"
LARGER = "larger-model"
"""The step that finds the model, and the key of the lane in which it answers."""


class Found(TypedDict):
    """The larger model of a role."""

    model: str
    """Empty: there is none that can be asked now."""
    servers: list[str]
    why: str
    """Why there is none."""


Find = Callable[[str, str], Awaitable[Found]]
"""Finds a larger model for a role, which has this model in the run. Empty: the one of the configuration."""


def reconsider_with_larger_model(roles: Sequence[str], find: Find, consultation: Consultation) -> Tool:
    """Make the tool. `roles`: those that a larger model may serve."""
    templates = consultation.templates

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        role = arguments["role"]
        changed = context.scope.view.options.get("roles") or {}
        found = await context.step(LARGER, partial(find, role, str(changed.get(role, ""))))
        if not found["model"]:
            raise ToolError(templates.fill("no_larger_model", role=role, reason=found["why"]))
        return await consultation.reconsider(context, role, arguments["query"], found["model"], tuple(found["servers"]))

    return Tool(_spec(roles, templates), run, after_crash="repeat")


def _spec(roles: Sequence[str], templates: Templates) -> Spec:
    names = ", ".join(roles)
    properties = {
        "role": {"type": "string", "enum": list(roles), "description": templates.fill("reconsider_with_larger_model.role", names=names)},
        "query": {"type": "string", "description": templates.fill("reconsider_with_larger_model.query")},
    }
    return Spec(NAME, templates.fill("reconsider_with_larger_model"), parameters_of(properties, list(properties)))


def found_before(value: object) -> tuple[str, tuple[str, ...]]:
    """The model and the servers of a step that the journal has. Empty: it found none."""
    if not isinstance(value, dict) or not isinstance(value.get("model"), str):
        return "", ()
    servers = value.get("servers")
    return value["model"], tuple(map(str, servers)) if isinstance(servers, list) else ()
