"""Makes the tool with which a model asks the user a question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

from mmos.answers import fit
from mmos.calls.spec import Spec
from mmos.context import Context, UserQuestion
from mmos.events import Form
from mmos.fences import fence
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


async def _run(templates: Templates, context: Context, arguments: Mapping[str, Any]) -> str:
    question = _question(arguments)
    answer = await context.ask_user(question)
    if answer.file is not None:
        file = answer.file
        return templates.fill("file", name=file.name, text=file.text.rstrip(), fence=fence(file.text)).strip()
    return templates.fill("late_user", answer=answer) if answer.by == "deadline" else answer


def _question(arguments: Mapping[str, Any]) -> UserQuestion:
    """The question, in the form that its options allow."""
    options = tuple(option for option in arguments.get("options") or () if option.strip())
    form: Form = arguments.get("kind") or ("choice" if options else "text")
    if options and not (form == "confirm" and all(fit("confirm", option) for option in options)):
        form = "choice"  # of numbers or of files, too
    elif form == "choice":
        form = "text"
    default = arguments.get("default") or None
    deadline = arguments.get("deadline") or None
    return UserQuestion(arguments["question"], form, options if form == "choice" else (), None if form == "file" else default, deadline)


def escalate_to_user(templates: Templates) -> Tool:
    properties = {
        "question": {"type": "string", "description": templates.fill("escalate_to_user.question")},
        "kind": {"type": "string", "enum": list(get_args(Form)), "description": templates.fill("escalate_to_user.kind")},
        "options": {"type": "array", "items": {"type": "string"}, "description": templates.fill("escalate_to_user.options")},
        "default": {"type": "string", "description": templates.fill("escalate_to_user.default")},
        "deadline": {"type": "string", "description": templates.fill("escalate_to_user.deadline")},
    }
    spec = Spec("escalate_to_user", templates.fill("escalate_to_user"), parameters_of(properties, ["question"]))
    return Tool(spec, partial(_run, templates), after_crash="repeat")
