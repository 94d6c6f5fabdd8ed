"""Builds the system text of a role from its parts. A part that is empty leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.config.roles import Guidance
from mmos.fences import one_line
from mmos.prompting.mistakes import told
from mmos.prompting.templates import Templates


def system_text(own: str, guidance: Guidance, added: str, templates: Templates) -> str:
    """`own`: the text of the role in `prompts/`. `added`: what the configuration and the run add to it.

    What changes from task to task is not here: the system text stays the same, so that hosts can use their cache for it.
    """
    parts = (
        own,
        _expertise(guidance.expertise.strip(), templates),
        _detail(guidance.detail, templates),
        added,
        _constraints(guidance.constraints, templates),
        templates.fill("preferences", preferences=guidance.preferences.strip()) if guidance.preferences.strip() else "",
        told(guidance.mistakes, templates),
    )
    return "\n\n".join(filter(None, parts)).strip()


def _expertise(level: str, templates: Templates) -> str:
    match level.lower():
        case "":
            return ""
        case "junior":
            return templates.fill("expertise_junior")
        case "senior":
            return templates.fill("expertise_senior")
        case "expert":
            return templates.fill("expertise_expert")
    return templates.fill("expertise", level=level.rstrip("."))


def _detail(detail: str, templates: Templates) -> str:
    if detail == "simple":
        return templates.fill("work_simply")
    return templates.fill("work_thoroughly") if detail == "detailed" else ""


def _constraints(constraints: Sequence[str], templates: Templates) -> str:
    lines = "\n".join(f"- {line}" for constraint in constraints if (line := one_line(constraint)))
    return templates.fill("constraints", constraints=lines) if lines else ""
