"""The vote: the answers of members are counted. Two are asked first, and others only while they disagree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mmos.catalog.naming import billions, family
from mmos.patterns.carrying import too_few
from mmos.patterns.counting import Count, counted, decided, voted
from mmos.patterns.ensemble import answers, missed
from mmos.patterns.plan import Contributor
from mmos.patterns.steps import first_words
from mmos.patterns.work import Contribution, Outcome, Work

FIRST = 2
"""So many are asked at once."""


class Voting:
    """`voting: auto` asks as few members as it can. The other ways ask all."""

    async def run(self, work: Work) -> Outcome:
        if work.plan.voting == "auto":
            return await _cascade(work)
        given = await answers(work)
        answered = _enough(work, given)
        outcome = await voted(work, answered)
        return replace(outcome, why="; ".join(filter(None, (outcome.why, missed(given, work)))))


async def _cascade(work: Work) -> Outcome:
    """Ask two, and then one after the other until more than half agree. A member that fails is replaced by the next one."""
    waiting = in_order(work.plan.members, await work.plan.insight.trust(work.task), work.plan.insight.resident())
    given: list[Contribution] = []
    count: Count | None = None
    while waiting:
        answered = [one for one in given if one.ok]
        batch = waiting[: max(1, FIRST - len(answered), work.plan.min_members - len(answered))]
        waiting = waiting[len(batch) :]
        given += await work.side_by_side([work.ask(one, first_words(work.plan.templates, one, work.task)) for one in batch], least=0)
        answered = [one for one in given if one.ok]
        if len(answered) < max(FIRST, work.plan.min_members):
            continue
        count = await counted(work, answered)
        if len(count.result.behind) >= FIRST and count.is_clear:
            break
    answered = _enough(work, given)
    outcome = await decided(work, answered, count or await counted(work, answered))
    failed = [one.member.name for one in given if not one.ok]
    asked = f"asked {len(given)} of {len(work.plan.members)}"
    return replace(outcome, why="; ".join(filter(None, (outcome.why, asked, f"{', '.join(failed)} gave no answer" if failed else ""))))


def in_order(members: Sequence[Contributor], trust: Mapping[str, float], resident: Collection[str]) -> list[Contributor]:
    """Whom to ask: the most trusted first, else the largest; then one of another family, in memory if possible; then the others."""
    ranked = sorted(members, key=lambda one: (-trust.get(one.model, _usual(trust)), -(billions(one.model) or 0.0)))
    first = ranked[0]
    others = [one for one in ranked[1:] if family(one.model) != family(first.model)] or ranked[1:]
    seconds = [one for one in others if one.model in resident] or others
    return [first, *seconds[:1], *(one for one in ranked[1:] if one not in seconds[:1])]


def _usual(trust: Mapping[str, float]) -> float:
    return sum(trust.values()) / len(trust) if trust else 0.0


def _enough(work: Work, given: Sequence[Contribution]) -> list[Contribution]:
    answered = [one for one in given if one.ok]
    if len(answered) < max(1, work.plan.min_members):
        raise too_few(work, len(answered))
    return answered
