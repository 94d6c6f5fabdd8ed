"""What the rules say about a failure: its category, its cause, the lines that show it, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmos.diagnosis.log import Line


@dataclass(frozen=True)
class Verdict:
    """Without a category the rules do not know the failure; the evidence are then the lines that most likely name its cause."""

    category: str | None
    """One of `mmos.diagnosis.knowledge.FAILURES`."""
    cause: str | None
    """One sentence."""
    evidence: tuple[Line, ...]
    """One to five lines, as they stand in the log; none if the log is empty."""
    cure: str
    """What helps, with commands that can be copied. Empty: unknown."""
    confidence: float

    def to_json(self) -> dict[str, Any]:
        evidence = [{"line": line.number, "text": line.text} for line in self.evidence]
        return {
            "category": self.category, "cause": self.cause, "evidence": evidence, "cure": self.cure, "confidence": self.confidence,
        }  # fmt: skip
