"""Makes the tool with which a model changes the phase of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from mmos.calls.spec import Spec
from mmos.config.phases import CHANGE_PHASE, Phases
from mmos.context import Context
from mmos.phases import change
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


async def _run(templates: Templates, context: Context, arguments: Mapping[str, Any]) -> str:
    return change(context.scope, arguments["phase"], arguments["reason"], templates, call=context.call)


def change_phase(phases: Phases, templates: Templates) -> Tool:
    """Make the tool. It names all phases, so its schema is the same in each of them."""
    properties = {
        "phase": {"type": "string", "enum": list(phases.names), "description": templates.fill("change_phase.phase")},
        "reason": {"type": "string", "description": templates.fill("change_phase.reason")},
    }
    spec = Spec(CHANGE_PHASE, templates.fill("change_phase"), parameters_of(properties, ["phase", "reason"]))
    return Tool(spec, partial(_run, templates), after_crash="repeat")
