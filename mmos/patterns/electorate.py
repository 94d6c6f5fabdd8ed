"""Gathers what a vote depends on beside the answers: the kind of the task, how far each member is trusted, and when texts say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mmos.choice.classifier import classifier_of
from mmos.patterns.learning import trust_of
from mmos.patterns.work import Contribution, Work
from mmos.voting.ballot import Ballot, Kind, ballot, kind_of
from mmos.voting.lines import likely
from mmos.voting.tally import Same, Tally, tally
from mmos.voting.trust import Trust
from mmos.voting.wording import guarded, overlap, same

ALIKE = 0.85
"""The cosine of two vectors from which two texts may say the same."""
SHARED = 0.2
"""The share of words that they must have in common, too: similarity alone says nothing."""


@dataclass(frozen=True)
class Electorate:
    """The members of a pattern as voters on its task."""

    work: Work
    trust: Trust
    group: str
    """The kind of the task, as the classifier sees it."""

    @classmethod
    async def of(cls, work: Work) -> Electorate:
        return cls(work, await trust_of(work.scope), classifier_of({}).classify(work.question).type or "")

    def likely(self, kind: Kind) -> int:
        """How many answers are likely. The more, the more it says when two agree."""
        return likely(kind, self.work.question)

    def weights(self, answers: Sequence[Contribution], kind: Kind) -> dict[str, float] | None:
        """What each answer counts: as configured, else by what was learned. None: all the same."""
        if self.work.plan.voting == "weighted" and any(one.weight != 1 for one in self.work.plan.members):
            return {one.key: one.member.weight for one in answers}
        return self.trust.weights({one.key: one.member.model for one in answers}, self.group, self.likely(kind))

    def ranked(self, answers: Sequence[Contribution]) -> list[Contribution]:
        """The answers, those of the most trusted members first."""
        return sorted(answers, key=lambda one: (-one.member.weight, -self.trust.share(one.member.model, self.group)))

    def ballots(self, answers: Sequence[Contribution]) -> tuple[Kind, dict[str, Ballot]]:
        """What the answers stand for, by their keys. Prose stands for itself."""
        kind = kind_of(self.work.question, [one.text for one in answers])
        read = {one.key: ballot(kind, one.text, self.work.question) for one in answers}
        if kind == "text":
            read = {one.key: read[one.key] if read[one.key].vote is None else Ballot(one.text) for one in answers}
        return kind, read

    async def same(self, kind: Kind, ballots: Mapping[str, Ballot]) -> Same | None:
        """When two votes mean the same. None: when they are equal."""
        if kind != "text":
            return None
        likeness = await self.work.plan.insight.likeness([one.vote for one in ballots.values() if one.vote])
        if likeness is None:
            return same
        return lambda one, other: (
            same(one, other) or (guarded(one, other) and overlap(one, other) >= SHARED and likeness(one, other) >= ALIKE)
        )

    async def count(
        self, answers: Sequence[Contribution], weights: Mapping[str, float] | None = None
    ) -> tuple[Kind, dict[str, Ballot], Tally]:
        """The votes of these answers, and what they say together."""
        ranked = self.ranked(answers)
        kind, ballots = self.ballots(ranked)
        counts = self.weights(ranked, kind) if weights is None else weights
        way: Literal["majority", "weighted"] = "majority" if self.work.plan.voting == "majority" and weights is None else "weighted"
        return kind, ballots, tally(ballots, way, weights=counts, same=await self.same(kind, ballots))
