"""The vote: the answers of members are counted. Two are asked first, and others only while they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mmos.names import canonical
from mmos.patterns.carrying import too_few
from mmos.patterns.counting import counted, decided, voted
from mmos.patterns.electorate import Electorate
from mmos.patterns.ensemble import answers, missed
from mmos.patterns.steps import first_words
from mmos.patterns.work import Contribution, Outcome, Work
from mmos.voting.ballot import Ballot
from mmos.voting.cascade import Cascade


class Voting:
    """`voting: auto` asks as few members as it can. The other ways ask all."""

    async def run(self, work: Work) -> Outcome:
        if work.plan.voting == "auto":
            return await Asking(work, await Electorate.of(work)).outcome()
        given = await answers(work)
        outcome = await voted(work, _enough(work, given))
        return replace(outcome, why="; ".join(filter(None, (outcome.why, missed(given, work)))))


@dataclass
class Asking:
    """Asks members one after the other, the first two at once, until enough agree."""

    work: Work
    electorate: Electorate
    given: list[Contribution] = field(default_factory=list)

    @property
    def answered(self) -> list[Contribution]:
        return [one for one in self.given if one.ok]

    async def outcome(self) -> Outcome:
        members = {one.name: one for one in self.work.plan.members}
        while names := await self._next():
            asks = [self.work.ask(members[name], first_words(self.work.plan.templates, members[name], self.work.task)) for name in names]
            self.given += await self.work.side_by_side(asks, least=0 if self.answered else 1)
        answered = _enough(self.work, self.given)
        outcome = await decided(self.work, answered, await counted(self.electorate, answered))
        failed = [one.member.name for one in self.given if not one.ok]
        asked = f"asked {len(self.given)} of {len(members)}"
        return replace(outcome, why="; ".join(filter(None, (outcome.why, asked, f"{', '.join(failed)} gave no answer" if failed else ""))))

    async def _next(self) -> list[str]:
        """Whom to ask now. A member that fails is replaced by the next one."""
        kind, read = self.electorate.ballots(self.answered)
        ballots = {one.member.name: read.get(one.key, Ballot(None, one.why)) for one in self.given}
        models = {one.name: one.model for one in self.work.plan.members}
        resident = self.work.plan.insight.resident()
        cascade = Cascade(
            list(models), self.electorate.trust, self.electorate.group, self.electorate.likely(kind),
            {name for name, model in models.items() if canonical(model) in resident},
            models, await self.electorate.same(kind, read),
        )  # fmt: skip
        names = cascade.next(ballots)
        if not names and len(self.answered) < self.work.plan.min_members:
            names = [name for name in cascade.order() if name not in ballots][:1]
        return names


def _enough(work: Work, given: Sequence[Contribution]) -> list[Contribution]:
    answered = [one for one in given if one.ok]
    if len(answered) < max(1, work.plan.min_members):
        raise too_few(work, len(answered))
    return answered
