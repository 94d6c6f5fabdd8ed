"""Defines the terms of a validation: who may judge, what an answer has to reach, and what judges read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.shape import Shape
from mmos.catalog.known import KnownModel
from mmos.errors import HostError, LimitReached, NoAnswer, NotFound, QuestionUnanswered, SchemaUnmet, ToolError
from mmos.fences import one_line
from mmos.participant.cast import Role
from mmos.prompting.templates import Templates
from mmos.quality.finding import Finding
from mmos.scope import Scope

FAULTS = (HostError, NoAnswer, SchemaUnmet, LimitReached, ToolError, NotFound, QuestionUnanswered)
"""Why a judge or a better answer may fail. The answer that was there before stays."""

MOST_LINES = 20
"""Findings that a model reads."""


@dataclass(frozen=True)
class Terms:
    """What holds for the validation of one run."""

    known: Callable[[], Awaitable[Sequence[KnownModel]]]
    """The models of the fleet."""
    whole: Callable[[Shape | None, Scope, str], Awaitable[str]]
    """The answer as the user gets it."""
    class_of: Callable[[str], str]
    """The class of a task. Empty: not sure."""
    threshold: float = 0.8
    adapts: bool = True
    """Whether ratings move the threshold. They do not move one that the user names for the run."""
    minimum_confidence: float = 0.8
    cross: bool = False
    """Whether a second model judges, too."""
    judge: str = ""
    """The role or the model that judges. Empty: MMOS chooses."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    templates: Templates = field(default_factory=Templates)


def listed(findings: Sequence[Finding]) -> str:
    """The findings as a model reads them, the first ones, one line each."""
    return "\n".join(_line(one) for one in findings[:MOST_LINES])


def finding_of(kept: Mapping[str, Any]) -> Finding:
    """A finding as an event keeps it. What is missing in the journal of a stranger is empty."""
    severity = kept.get("severity")
    return Finding(
        str(kept.get("kind", "")),
        severity if severity in ("error", "warning") else "note",
        *(str(kept.get(name, "")) for name in ("where", "message", "cure", "quote", "by")),
    )


def _line(finding: Finding) -> str:
    place = f"{finding.where}: " if finding.where else ""
    quote = f' (the words: "{one_line(finding.quote)[:200]}")' if finding.quote else ""
    cure = f" What to do: {one_line(finding.cure)}" if finding.cure else ""
    return f"- {finding.kind}: {place}{one_line(finding.message)}{quote}{cure}"
