"""Makes the tool that rewords one role's response for another role, or turns it into calls of that role's tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.fences import one_line
from mmos.messages import Message
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


def mediate(readers: Sequence[str], writer: str, templates: Templates) -> Tool:
    """Make the tool. `writer` is the role that rewords."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        reader, response = arguments["for_role"], context.expanded(arguments["response"])
        if arguments.get("into") == "calls":
            calls = await context.interpret(response, reader)
            if isinstance(calls, str):
                raise ToolError(templates.fill("no_call_in_response", role=reader, reason=calls))
            return {"success": True, "calls": [{"name": call.name, "arguments": call.arguments} for call in calls]}
        instruction = one_line(arguments.get("instruction") or "")
        message = templates.fill("mediation", task=context.told.content, response=response, reader=reader, instruction=instruction)
        answer = await context.ask(writer, Message("user", message, files=context.told.files))
        return {"success": answer.complete, "response": answer.text, "reasoning": answer.reasoning}

    spec = Spec(
        "mediate",
        templates.fill("mediate"),
        parameters_of(
            {
                "response": {"type": "string", "description": templates.fill("mediate.response")},
                "for_role": {
                    "type": "string",
                    "enum": list(readers),
                    "description": templates.fill("mediate.for_role", names=", ".join(readers)),
                },
                "into": {"type": "string", "enum": ["words", "calls"], "description": templates.fill("mediate.into")},
                "instruction": {"type": "string", "description": templates.fill("mediate.instruction")},
            },
            ["response", "for_role"],
        ),
    )
    return Tool(spec, run, after_crash="repeat")
