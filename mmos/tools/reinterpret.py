"""Makes the tool with which a model has a reply put into a form that can be used, after it failed downstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.messages import Message
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


def reinterpret_response(writer: str, templates: Templates) -> Tool:
    """Make the tool. `writer` is the role that words a reply anew when it means no call. Empty: there is none."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        original = context.expanded(arguments["original"])
        calls = await context.interpret(original)
        if not isinstance(calls, str):
            return {"success": True, "calls": [{"name": call.name, "arguments": call.arguments} for call in calls]}
        if not writer or writer == context.scope.role:
            raise ToolError(templates.fill("no_call_in_text", reason=calls))
        message = reinterpretation(templates, context.told.content, original, arguments["failure_reason"])
        answer = await context.ask(writer, message, memory="none", tools=())
        return {"success": answer.complete, "response": answer.text, "reasoning": answer.reasoning}

    properties = {
        "original": {"type": "string", "description": templates.fill("reinterpret_response.original")},
        "failure_reason": {"type": "string", "description": templates.fill("reinterpret_response.failure_reason")},
    }
    spec = Spec("reinterpret_response", templates.fill("reinterpret_response"), parameters_of(properties, list(properties)))
    return Tool(spec, run, after_crash="repeat")


def reinterpretation(templates: Templates, task: str, original: str, reason: str) -> Message:
    """The message that asks for the same reply in a form that can be used."""
    return Message("user", templates.fill("reinterpretation", task=task, original=original, reason=reason))
