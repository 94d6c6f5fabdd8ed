"""Keeps how the answer of a run was judged, what was tried to make it better, and which answer was kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from mmos.events import Event
from mmos.quality_events import AnswerJudged, AnswerRevised, ImprovementTried, JudgeTried
from mmos.views.recoveries import is_advice

FIRST = "answer"
"""The step that made the first answer: the exchange itself."""
VALIDATION = "validation-1"
"""In place of a call in the addresses of the lanes of a validation."""
_JUDGEMENT = re.compile(rf"/{VALIDATION}/(?:judge|canary|compare)-[^/]+$")
_ASIDE = re.compile(rf"/{VALIDATION}/")
SHOWN = ("kind", "severity", "where", "message", "cure", "quote", "by")
"""What the result document says of a finding."""

JUDGING: tuple[type[Event], ...] = (JudgeTried, AnswerJudged, ImprovementTried, AnswerRevised)
"""The events that this view is made of."""


@dataclass
class Validation:
    """The validation of a run."""

    judged: dict[str, AnswerJudged] = field(default_factory=dict)
    """By step, oldest first."""
    tried: dict[str, ImprovementTried] = field(default_factory=dict)
    canaries: list[JudgeTried] = field(default_factory=list)
    revised: AnswerRevised | None = None

    @property
    def best(self) -> str:
        """The step that made the best answer so far."""
        return next((step for step, one in reversed(self.tried.items()) if one.kept and step in self.judged), FIRST)

    @property
    def verdict(self) -> AnswerJudged | None:
        """What is said of the best answer. None: it has not been judged."""
        return self.judged.get(self.best)

    def apply(self, event: Event) -> None:
        match event:
            case AnswerJudged():
                self.judged[event.step] = event
            case ImprovementTried():
                self.tried[event.step] = event
            case JudgeTried():
                self.canaries.append(event)
            case AnswerRevised():
                self.revised = event

    def document(self) -> dict[str, Any] | None:
        """What the result document says of the quality of the answer. None: nobody judged it."""
        judged = self.verdict
        if judged is None:
            return None
        return {
            "score": round(judged.score, 3), "confidence": round(judged.confidence, 3), "verdict": judged.verdict,
            "threshold": round(judged.threshold, 3),
            "findings": [{name: finding.get(name, "") for name in SHOWN} for finding in judged.findings],
            "judges": list(judged.judges), "why": list(judged.reasons),
            "steps": [{"step": one.step, "kept": one.kept, "why": one.why} for one in self.tried.values()],
        }  # fmt: skip


def is_validation(lane: str) -> bool:
    """Whether a lane belongs to a validation: of a judge, or of a try to make the answer better."""
    return _ASIDE.search(lane) is not None


def is_judgement(lane: str) -> bool:
    """Whether it is the lane of a judge. What a judge did not say, no recovery makes up."""
    return _JUDGEMENT.search(lane) is not None


def is_aside(lane: str) -> bool:
    """Whether a lane stands beside the work of the run: nobody remembers it, and what it said has done its work."""
    return is_advice(lane) or is_validation(lane)
