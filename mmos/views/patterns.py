"""Builds what a run shows of its patterns: who answered, how they voted, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmos.event import Event
from mmos.pattern_events import (
    ConflictFound,
    MemberEnded,
    MemberVoted,
    PatternAdvised,
    PatternBegun,
    PatternEnded,
    StepRolledBack,
)

KINDS: tuple[type[Event], ...] = (PatternBegun, MemberEnded, MemberVoted, StepRolledBack, ConflictFound, PatternEnded, PatternAdvised)
"""The events that this view is made of."""
TOOL = "run_pattern"
"""The tool that carries out a pattern."""
PATTERN = "pattern"
"""In place of a call in the addresses of the lanes of members, where the pattern stands for a model."""


@dataclass
class PatternRun:
    """One pattern of a run."""

    begun: PatternBegun
    members: dict[str, MemberEnded] = field(default_factory=dict)
    """By key, in the order of their ends."""
    votes: dict[str, MemberVoted] = field(default_factory=dict)
    rolled_back: list[StepRolledBack] = field(default_factory=list)
    conflicts: list[ConflictFound] = field(default_factory=list)
    ended: PatternEnded | None = None

    def document(self) -> dict[str, Any]:
        begun, ended, keys = self.begun, self.ended, list(self.members)
        return {
            "id": begun.pattern, "name": begun.name, "pattern": begun.shape, "aggregate": begun.aggregate or None,
            "voting": begun.voting or None, "input_count": len(begun.members),
            "duration_ms": round(ended.seconds * 1000, 1) if ended else None,
            "status": ended.status if ended else None, "agreement": ended.agreement if ended else None,
            "members": [self._member(key, member) for key, member in self.members.items()],
            "dissent": [{"model": model, "text": text} for model, text in ended.dissent.items()] if ended else [],
            "conflicts": [{"between": list(one.between), "about": one.about, "resolved": one.resolved or None} for one in self.conflicts],
            "chosen": keys.index(ended.chosen) if ended and ended.chosen in keys else None,
            "rolled_back": self.rolled_back[-1].to or None if self.rolled_back else None,
            "why": ended.why if ended else "",
        }  # fmt: skip

    def _member(self, key: str, member: MemberEnded) -> dict[str, Any]:
        vote = self.votes.get(key)
        return {
            "name": member.name, "model": member.model, "host": member.host, "status": member.status,
            "seconds": round(member.seconds, 3), "output_tokens": member.output_tokens, "task": member.task or None,
            "vote": vote.vote if vote else None, "score": vote.score if vote else None, "why": member.why or None,
        }  # fmt: skip


@dataclass
class PatternRuns:
    """The patterns of a run, in the order of their beginnings."""

    by_id: dict[str, PatternRun] = field(default_factory=dict)
    advice: dict[str, PatternAdvised] = field(default_factory=dict)
    """For each lane, the newest advice."""

    def apply(self, event: Event) -> None:
        match event:
            case PatternBegun():
                self.by_id[event.pattern] = PatternRun(event)
            case MemberEnded():
                self.by_id[event.pattern].members[event.key] = event
            case MemberVoted():
                self.by_id[event.pattern].votes[event.key] = event
            case StepRolledBack():
                self.by_id[event.pattern].rolled_back.append(event)
            case ConflictFound():
                self.by_id[event.pattern].conflicts.append(event)
            case PatternEnded():
                self.by_id[event.pattern].ended = event
            case PatternAdvised():
                self.advice[event.lane] = event

    def documents(self) -> list[dict[str, Any]]:
        return [one.document() for one in self.by_id.values()]
