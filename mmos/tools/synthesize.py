"""Makes the tool with which the synthesizer combines several answers into one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.fences import Fenced, fenced
from mmos.messages import Message
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of

CONSULTING = re.compile(r"consult_(?:\w+_)?specialist")
"""The tools that ask a specialist, whatever it remembers."""


def synthesize_responses(role: str, templates: Templates) -> Tool:
    """Make the tool. Without arguments it takes every answer that specialists gave in this run."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        texts = arguments.get("responses") or past_answers(context, role)
        if not texts:
            raise ToolError(templates.fill("nothing_to_synthesize"))
        whole = enumerate(map(context.expanded, texts), 1)
        responses = Fenced("\n\n".join(templates.fill("one_response", number=str(number), text=fenced(text)) for number, text in whole))
        instruction = arguments.get("instruction") or templates.fill("usual_synthesis")
        message = templates.fill("synthesis", task=context.told.content, responses=responses, instruction=instruction)
        answer = await context.ask(role, Message("user", message, files=context.told.files))
        return {"success": True, "response": answer.text, "reasoning": answer.reasoning}

    spec = Spec(
        "synthesize_responses",
        templates.fill("synthesize_responses"),
        parameters_of(
            {
                "instruction": {"type": "string", "description": templates.fill("synthesize_responses.instruction")},
                "responses": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": templates.fill("synthesize_responses.responses"),
                },
            },
        ),
    )
    return Tool(spec, run, after_crash="repeat")


def past_answers(context: Context, synthesizer: str) -> list[str]:
    """The whole answers of specialists to this participant in this run, in their order."""
    scope = context.scope
    calls = [call for call in scope.view.finished_calls.values() if call.ok and call.lane == scope.lane]
    opened = [(call, lane) for call in calls for lane in scope.view.lanes.get(call.call, ())]
    inner = [lane for call, lane in opened if lane.role != synthesizer and (lane.memory == "thread" or CONSULTING.fullmatch(call.tool))]
    lanes = [scope.conversation.lanes[scope.run, lane.lane] for lane in inner]
    return [text for lane in lanes if lane.status in ("answered", "partial") and (text := lane.newest_text())]
