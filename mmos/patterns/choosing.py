"""Chooses one of several answers: by checks that need no model, then by a judge who does not know the authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmos.patterns.anonymous import lettered, listed
from mmos.patterns.scoring import scored
from mmos.patterns.work import Contribution, Outcome, Work

CHOOSE = "judge"
MOST_JUDGED = 8
"""A judge sees at most so many answers at once: a longer list is read badly."""


async def best(work: Work, given: Sequence[Contribution]) -> Outcome:
    """The answer that a judge finds best, unchanged. When it is close, the judge looks again in the other order."""
    return await judged(work, by_rules(work, given))


async def best_of_n(work: Work, given: Sequence[Contribution]) -> Outcome:
    """The best of many answers: those with fewer faults first, then the judge. Answers that are equal count as one."""
    ranked = by_rules(work, distinct(given))
    scores = {one.key: work.record.votes[one.key].score or 0.0 for one in ranked}
    top = [one for one in ranked if scores[one.key] == scores[ranked[0].key]]
    return await judged(work, top)


def distinct(given: Sequence[Contribution]) -> list[Contribution]:
    """The answers, of equal ones the first."""
    return list({one.text: one for one in reversed(given)}.values())[::-1]


def by_rules(work: Work, given: Sequence[Contribution]) -> list[Contribution]:
    """The answers, those without faults first. Answers that are equally good stay in their order."""
    scores = {one.key: scored(work, one)[0] for one in given}
    return sorted(given, key=lambda one: -scores[one.key])


async def judged(work: Work, ranked: Sequence[Contribution], step: str = CHOOSE) -> Outcome:
    """The answer that the judge finds best. `ranked`: the best by the rules first; that one counts when the judge says nothing."""
    if len({one.text for one in ranked}) == 1:
        return Outcome(ranked[0].text, ranked[0].key)
    answers = lettered(work, ranked[:MOST_JUDGED], step)
    said = await _verdict(work, answers, step)
    if isinstance(said, str):
        return Outcome(ranked[0].text, ranked[0].key, status="partial", why=f"the judge said nothing of use: {said}")
    chosen, second = answers[said["best"]], answers[said["second"]]
    if said["close"] and second is not chosen:
        chosen, why = await _again(work, chosen, second, ranked, step)
        return Outcome(chosen.text, chosen.key, why=why)
    return Outcome(chosen.text, chosen.key, why=f"the judge: {said['why']}")


async def _again(
    work: Work, chosen: Contribution, second: Contribution, ranked: Sequence[Contribution], step: str
) -> tuple[Contribution, str]:
    """Which of two answers the judge finds better in both orders. Else the rules, the weights and the order of the members decide."""
    said = []
    for number, reverse in enumerate((False, True), 1):
        pair = lettered(work, (chosen, second), f"{step}-close", reverse=reverse)
        verdict = await _verdict(work, pair, f"{step}-{number + 1}")
        said.append(None if isinstance(verdict, str) else pair[verdict["best"]])
    if said[0] is not None and said[0] is said[1]:
        return said[0], "it was close, and the judge chose the same answer in both orders"
    return max(
        (chosen, second), key=lambda one: _standing(work, one, ranked)
    ), "it was close, and the judge chose another answer in the other order"


def _standing(work: Work, one: Contribution, ranked: Sequence[Contribution]) -> tuple[float, float, int]:
    vote = work.record.votes.get(one.key)
    return (vote.score or 0.0) if vote else 0.0, one.member.weight, -ranked.index(one)


async def _verdict(work: Work, answers: Mapping[str, Contribution], key: str) -> Mapping[str, Any] | str:
    """What the judge says, or why it says nothing of use."""
    text = work.plan.templates.fill("choose_one", input=work.task, answers=listed(work, answers))
    said = await work.decide(text, key, "judge", answer=_choice(list(answers)))
    if not said.ok:
        return said.why
    return said.data if isinstance(said.data, dict) else "its answer has not the form that was asked for"


def _choice(letters: Sequence[str]) -> dict[str, Any]:
    """What a judge says. The reason comes first, so that it is found before the verdict."""
    one = {"type": "string", "enum": list(letters)}
    properties = {"why": {"type": "string"}, "best": one, "second": one, "close": {"type": "boolean"}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
