"""Counts the answers of members, and decides when they are split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmos.fences import Fenced, fenced, one_line
from mmos.patterns.choosing import judged
from mmos.patterns.electorate import Electorate
from mmos.patterns.work import Contribution, Outcome, Work
from mmos.views.patterns import PATTERN
from mmos.voting.ballot import Ballot, Kind
from mmos.voting.tally import Tally

LOW = 0.34
"""An agreement that is not more than this decides nothing."""
LONGEST_VOTE = 200
"""Characters of a vote that people see."""


@dataclass(frozen=True)
class Count:
    """The votes of some answers."""

    kind: Kind
    ballots: Mapping[str, Ballot]
    """By the keys of the answers."""
    result: Tally
    names: Mapping[str, str]
    """The members, by the keys of their answers."""

    @property
    def is_clear(self) -> bool:
        """Whether the votes decide: two agree, and nothing counts as much as what they say."""
        voters = sum(one.vote is not None for one in self.ballots.values())
        return len(self.result.behind) >= min(2, voters) > 0 and not self.result.is_tie and self.result.agreement > LOW

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Each vote with the keys of those who gave it, the strongest first."""
        winner = {self.result.vote: self.result.behind} if self.result.vote is not None else {}
        return {**winner, **self.result.against}

    @property
    def dissent(self) -> dict[str, str]:
        """What members vote for that do not agree, by name."""
        return {self.names[key]: shown(vote) for vote, keys in self.result.against.items() for key in keys}

    @property
    def told(self) -> Fenced:
        """Each vote with its members, for a model."""
        lines = [f"{', '.join(self.names[key] for key in keys)}: {shown(vote)}" for vote, keys in self.groups.items()]
        return fenced("\n".join([*lines, *(f"{self.names[key]}: no vote" for key in self.result.abstained)]))


def shown(vote: str) -> str:
    return one_line(vote)[:LONGEST_VOTE]


async def counted(electorate: Electorate, answers: Sequence[Contribution], weights: Mapping[str, float] | None = None) -> Count:
    """The votes of these answers. `weights`: by their keys. None: as `voting` of the pattern says."""
    kind, ballots, result = await electorate.count(answers, weights)
    return Count(kind, ballots, result, {one.key: one.member.name for one in answers})


async def voted(work: Work, given: Sequence[Contribution]) -> Outcome:
    """The answer with the most votes, unchanged."""
    if work.plan.voting == "ranked":
        from mmos.patterns.ranking import ranked

        return await ranked(work, given)
    return await decided(work, given, await counted(await Electorate.of(work), given))


async def counted_by_weight(work: Work, given: Sequence[Contribution]) -> Outcome | None:
    """The outcome of a vote by the weights of the members. None: answers like these cannot be counted."""
    count = await counted(await Electorate.of(work), given, {one.key: one.member.weight for one in given})
    return None if count.kind == "text" else await decided(work, given, count)


async def decided(work: Work, given: Sequence[Contribution], count: Count) -> Outcome:
    """The outcome of a vote. A judge decides a split one. The caller of a tool reads the split itself."""
    _say(work, count)
    if count.is_clear:
        chosen = next(one for one in given if one.key == count.result.behind[0])
        if len(given) == 1:  # nobody can agree with it
            return Outcome(chosen.text, chosen.key, why="there is one vote")
        why = f"{len(count.result.behind)} of {len(given)} agree"
        return Outcome(chosen.text, chosen.key, count.result.agreement, count.dissent, why=why)
    if count.result.vote is None:
        return Outcome(given[0].text, given[0].key, 0.0, status="partial", why="all members abstain")
    if work.context.call != PATTERN and work.plan.aggregator is None and count.kind != "text":
        told = work.plan.templates.fill("split_vote", votes=count.told)
        return Outcome(told, "", count.result.agreement, count.dissent, "partial", "the votes are split")
    return await _judged(work, given, count)


def _say(work: Work, count: Count) -> None:
    """Record each vote, in the words of the first who gave it."""
    for vote, keys in count.groups.items():
        for key in keys:
            work.vote(key, shown(vote))
    for key in count.result.abstained:
        work.vote(key, None, why=count.ballots[key].why)
        work.abstain(key, count.ballots[key].why)


async def _judged(work: Work, given: Sequence[Contribution], count: Count) -> Outcome:
    """The judge chooses from one answer for each vote."""
    by_key = {one.key: one for one in given}
    outcome = await judged(work, [by_key[keys[0]] for keys in count.groups.values()])
    behind = next(keys for keys in count.groups.values() if outcome.chosen in keys)
    dissent = {count.names[key]: shown(vote) for vote, keys in count.groups.items() if keys != behind for key in keys}
    why = f"the votes are split; {outcome.why}"
    return Outcome(outcome.text, outcome.chosen, round(len(behind) / len(given), 4), dissent, outcome.status, why)
