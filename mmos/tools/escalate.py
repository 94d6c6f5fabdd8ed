"""Makes the tool with which a model asks the user a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context, UserQuestion
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


async def _run(context: Context, arguments: Mapping[str, Any]) -> Any:
    options = tuple(arguments.get("options") or ())
    question = UserQuestion(arguments["question"], "choice" if options else "text", options, arguments.get("default"))
    return await context.ask_user(question)


def escalate_to_user(templates: Templates) -> Tool:
    spec = Spec(
        "escalate_to_user",
        templates.fill("escalate_to_user"),
        parameters_of(
            {
                "question": {"type": "string", "description": templates.fill("escalate_to_user.question")},
                "options": {"type": "array", "items": {"type": "string"}, "description": templates.fill("escalate_to_user.options")},
                "default": {"type": "string", "description": templates.fill("escalate_to_user.default")},
            },
            ["question"],
        ),
    )
    return Tool(spec, _run, after_crash="repeat")
