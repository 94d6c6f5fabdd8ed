"""Makes the tool with which a model asks the interpreter which call a text means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.calls.interpreting import INTERPRETS
from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


def reinterpret_with_functiongemma(templates: Templates) -> Tool:
    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        calls = await context.interpret(arguments["text"])
        if isinstance(calls, str):
            raise ToolError(templates.fill("no_call_in_text", reason=calls))
        return {"success": True, "calls": [{"name": call.name, "arguments": call.arguments} for call in calls]}

    spec = Spec(
        INTERPRETS,
        templates.fill("reinterpret_with_functiongemma"),
        parameters_of({"text": {"type": "string", "description": templates.fill("reinterpret_with_functiongemma.text")}}, ["text"]),
    )
    return Tool(spec, run, after_crash="repeat")
