"""Makes the tool with which a model asks the user a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context, UserQuestion
from mmos.toolbox import Tool


async def _run(context: Context, arguments: Mapping[str, Any]) -> Any:
    options = tuple(arguments.get("options") or ())
    question = UserQuestion(arguments["question"], "choice" if options else "text", options, arguments.get("default"))
    return await context.ask_user(question)


escalate_to_user = Tool(
    Spec(
        "escalate_to_user",
        "Ask the user, when the task is ambiguous or needs a decision that only they can take. Ask once, and clearly.",
        {
            "type": "object",
            "properties": {
                "question": {"type": "string", "description": "The question, complete in itself."},
                "options": {"type": "array", "items": {"type": "string"}, "description": "Answers to choose from. Optional."},
                "default": {"type": "string", "description": "What to assume when nobody answers. Optional."},
            },
            "required": ["question"],
            "additionalProperties": False,
        },
    ),
    _run,
    after_crash="repeat",
)
