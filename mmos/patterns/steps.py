"""Says what a member reads at its place in a pattern: its own text, a named task, or an instruction."""

from __future__ import annotations

from mmos.errors import UsageError
from mmos.fences import Fenced
from mmos.patterns.plan import Contributor
from mmos.prompting.templates import Templates

USUAL_FIRST = ""
USUAL_NEXT = "refine"
"""The task of a later step that names none."""


def instruction(templates: Templates, task: str) -> str:
    """The text for a named task, or for an instruction in the user's own words."""
    match task.strip().lower().replace("-", "_").replace(" ", "_"):
        case "":
            return ""
        case "analyze" | "analyse":
            return templates.fill("task_analyze")
        case "analyze_and_plan":
            return templates.fill("task_analyze_and_plan")
        case "plan":
            return templates.fill("task_plan")
        case "generate":
            return templates.fill("task_generate")
        case "implement":
            return templates.fill("task_implement")
        case "implement_changes":
            return templates.fill("task_implement_changes")
        case "validate":
            return templates.fill("task_validate")
        case "validate_and_refine":
            return templates.fill("task_validate_and_refine")
        case "review":
            return templates.fill("task_review")
        case "refine":
            return templates.fill("task_refine")
    return templates.fill("own_instruction", task=task)


def first_words(templates: Templates, member: Contributor, task: str) -> str:
    """What the first member of a sequence reads."""
    if member.prompt:
        return filled(member.prompt, task, "")
    told = instruction(templates, member.task)
    return templates.fill("step_first", instruction=Fenced(told + "\n\n") if told else "", input=Fenced(task)) if told else task


def next_words(templates: Templates, member: Contributor, task: str, result: str) -> str:
    """What a later member reads."""
    if member.prompt:
        return filled(member.prompt, task, result)
    told = instruction(templates, member.task or USUAL_NEXT)
    return templates.fill("step_next", instruction=told, input=task, previous_output=result)


def filled(prompt: str, task: str, result: str) -> str:
    """The user's own prompt, with the task and the result before it. Both are data: what they contain is no template."""
    from mmos.prompting.language import render  # few members have a prompt of their own

    try:
        return render(prompt, {"input": task, "previous_output": result})
    except (KeyError, UsageError) as error:
        raise UsageError(f"The prompt of a member has a fault: {error}.") from error
