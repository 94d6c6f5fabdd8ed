"""Has the members read each other's answers and answer again, until they agree or get no closer."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.patterns.anonymous import lettered, listed
from mmos.patterns.counting import counted, decided
from mmos.patterns.electorate import Electorate
from mmos.patterns.work import Contribution, Outcome, Work

MOST_ROUNDS = 3
"""The first answers are one round."""
WHOLE = 0.999
"""Agreement from which nobody is asked again."""


async def agreed(work: Work, given: Sequence[Contribution]) -> Outcome:
    """The answer that most agree on after at most three rounds. A round that brings them no closer is the last one."""
    answers, electorate = list(given), await Electorate.of(work)
    count = await counted(electorate, answers)
    for number in range(2, MOST_ROUNDS + 1):
        if count.result.agreement >= WHOLE:
            break
        revised = await _round(work, answers, number)
        after = await counted(electorate, revised)
        is_closer = after.result.agreement > count.result.agreement
        answers, count = revised, after
        if not is_closer:
            break
    return await decided(work, answers, count)


async def _round(work: Work, answers: Sequence[Contribution], number: int) -> list[Contribution]:
    """Each member with the answers of the others. One that fails keeps its answer."""
    asks = [
        work.ask(one.member, _words(work, one, answers, number), key=f"{one.member.name}-round-{number}", task="revise") for one in answers
    ]
    revised = {one.member.name: one for one in await work.side_by_side(asks, least=0) if one.ok}
    return [revised.get(one.member.name, one) for one in answers]


def _words(work: Work, own: Contribution, answers: Sequence[Contribution], number: int) -> str:
    others = lettered(work, [one for one in answers if one is not own], f"round-{number}-{own.member.name}")
    return work.plan.templates.fill("read_others", input=work.task, own=own.text, answers=listed(work, others))
