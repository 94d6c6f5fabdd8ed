"""Counts the answers of members, and decides when they are split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log

from mmos.fences import Fenced, fenced, one_line
from mmos.patterns.ballots import LONGEST_VOTE, Kind, Tally, agree, ballot, kind_of, tally
from mmos.patterns.choosing import judged
from mmos.patterns.work import Contribution, Outcome, Work
from mmos.views.patterns import PATTERN

LOW = 0.5
"""An agreement that is not more than this decides nothing."""
LEAST_TRUST, MOST_TRUST = 0.05, 0.95
"""No member counts nothing, and none decides alone."""


@dataclass(frozen=True)
class Count:
    """The votes of some answers."""

    kind: Kind
    votes: Mapping[str, str]
    """By the keys of the answers. Empty: it abstains."""
    result: Tally
    is_weighted: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    """The members, by the keys of their answers."""

    @property
    def agreement(self) -> float:
        return self.result.agreement

    @property
    def is_clear(self) -> bool:
        return bool(self.result.behind) and not self.result.is_tie and self.agreement > LOW

    @property
    def dissent(self) -> dict[str, str]:
        """What members vote for that do not agree, by name."""
        against = {key: vote for key, vote in self.votes.items() if vote and vote != self.result.vote}
        return {self.names[key]: one_line(vote)[:LONGEST_VOTE] for key, vote in against.items()}


async def counted(work: Work, answers: Sequence[Contribution], weights: Mapping[str, float] | None = None) -> Count:
    """The votes of these answers. `weights`: by the names of the members. None: as `voting` of the pattern says."""
    kind = kind_of(work.task, [one.text for one in answers])
    votes = {one.key: ballot(kind, one.text, work.task).vote for one in answers}
    if kind == "text":
        votes = _gathered(votes, await work.plan.insight.likeness([vote for vote in votes.values() if vote]))
    weights = await weights_of(work) if weights is None else weights
    result = tally(votes, {one.key: weights[one.member.name] for one in answers})
    return Count(kind, votes, result, len(set(weights.values())) > 1, {one.key: one.member.name for one in answers})


def _gathered(votes: Mapping[str, str], likeness: Callable[[str, str], float] | None) -> dict[str, str]:
    """Votes in words, where all that say the same are the first of them."""
    found: list[str] = []
    gathered = {}
    for key, vote in votes.items():
        same = next((one for one in found if agree(one, vote, likeness)), None) if vote else ""
        if same is None:
            found.append(same := vote)
        gathered[key] = same
    return gathered


async def weights_of(work: Work) -> dict[str, float]:
    """How much each member counts, by name: as configured, else by what was learned of its model for such tasks."""
    members = work.plan.members
    if work.plan.voting == "weighted" and any(one.weight != 1 for one in members):
        return {one.name: one.weight for one in members}
    if work.plan.voting == "majority":
        return {one.name: 1.0 for one in members}
    trust = await work.plan.insight.trust(work.task)
    if not trust:
        return {one.name: 1.0 for one in members}
    usual = sum(trust.values()) / len(trust)
    return {one.name: _odds(trust.get(one.model, usual)) for one in members}


def _odds(trust: float) -> float:
    """The weight of a vote that is right so often, against one that is right by chance half the time."""
    known = min(max(trust, LEAST_TRUST), MOST_TRUST)
    return max(0.1, log(known / (1 - known)) + 1)


async def voted(work: Work, given: Sequence[Contribution]) -> Outcome:
    """The answer with the most votes, unchanged."""
    if work.plan.voting == "ranked":
        from mmos.patterns.ranking import ranked

        return await ranked(work, given)
    return await decided(work, given, await counted(work, given))


async def counted_by_weight(work: Work, given: Sequence[Contribution], weights: Mapping[str, float]) -> Outcome | None:
    """The outcome of a weighted vote. None: answers like these cannot be counted."""
    count = await counted(work, given, weights)
    return None if count.kind == "text" else await decided(work, given, count)


async def decided(work: Work, given: Sequence[Contribution], count: Count) -> Outcome:
    """The outcome of a vote. A judge decides a split one. The caller of a tool reads the split itself."""
    say(work, given, count)
    if count.is_clear:
        return _of(given, count)
    if not count.result.behind:
        return Outcome(given[0].text, given[0].key, 0.0, status="partial", why="all members abstain")
    if work.context.call != PATTERN and work.plan.aggregator is None and count.kind != "text":
        told = work.plan.templates.fill("split_vote", votes=_split(count))
        return Outcome(told, agreement=count.agreement, dissent=count.dissent, status="partial", why="the votes are split")
    return await _judged(work, given, count)


def say(work: Work, given: Sequence[Contribution], count: Count) -> None:
    """Record each vote."""
    for one in given:
        work.vote(one.key, one_line(count.votes[one.key])[:LONGEST_VOTE] or None)
        if not count.votes[one.key]:
            work.abstain(one.key)


def _of(given: Sequence[Contribution], count: Count) -> Outcome:
    """The answer of the one behind the result who counts most, and of equals the first."""
    behind = [one for one in given if one.key in count.result.behind]
    chosen = max(behind, key=lambda one: one.member.weight)
    told = f"{len(behind)} of {len(given)} agree" + (", by weight" if count.is_weighted else "")
    return Outcome(chosen.text, chosen.key, count.agreement, count.dissent, why=told)


async def _judged(work: Work, given: Sequence[Contribution], count: Count) -> Outcome:
    """One answer for each vote, and the judge chooses."""
    first = {vote: next(one for one in given if count.votes[one.key] == vote) for vote in dict.fromkeys(count.votes.values()) if vote}
    winner = first.pop(count.result.vote)
    outcome = await judged(work, [winner, *first.values()])
    vote = count.votes[outcome.chosen]
    total = replace(count, result=replace(count.result, vote=vote))
    share = sum(one == vote for one in count.votes.values()) / len(count.votes)
    return replace(outcome, agreement=round(share, 4), dissent=total.dissent, why=f"the votes are split; {outcome.why}")


def _split(count: Count) -> Fenced:
    votes = defaultdict[str, list[str]](list)
    for key, vote in count.votes.items():
        votes[one_line(vote)[:LONGEST_VOTE] or "no vote"].append(count.names[key])
    return fenced("\n".join(f"{', '.join(names)}: {vote}" for vote, names in votes.items()))
