"""Has each member rank the answers of all, and adds the places up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmos.patterns.anonymous import lettered, listed
from mmos.patterns.choosing import MOST_JUDGED, distinct
from mmos.patterns.work import Contribution, Outcome, Work


async def ranked(work: Work, given: Sequence[Contribution]) -> Outcome:
    """The answer with the best places. Each member sees the answers without names, in an order of its own."""
    shown = distinct(given)[:MOST_JUDGED]
    if len(shown) == 1:
        if len(given) == 1:
            return Outcome(shown[0].text, shown[0].key, why="there is one answer")
        return Outcome(shown[0].text, shown[0].key, 1.0, why="all answers are the same")
    orders = {one.member.name: lettered(work, shown, f"rank-{one.member.name}") for one in given}
    asks = [
        work.ask(one.member, _words(work, orders[one.member.name]), key=f"{one.member.name}-rank", task="rank", answer=_form(len(shown)))
        for one in given
    ]
    rankings = {one.member.name: _ranking(one, orders[one.member.name]) for one in await work.side_by_side(asks, least=0) if one.ok}
    points = _points([keys for keys in rankings.values() if keys], [one.key for one in shown])
    for one in shown:
        work.vote(one.key, None, points[one.key])
    chosen = max(shown, key=lambda one: points[one.key])
    first = {name: keys[0] for name, keys in rankings.items() if keys}
    by_key = {one.key: one.member.name for one in shown}
    dissent = {name: f"{by_key[key]} is better" for name, key in first.items() if key != chosen.key}
    agreement = round((len(first) - len(dissent)) / len(first), 4) if first else None
    why = f"{len(first)} of {len(given)} ranked the answers"
    return Outcome(chosen.text, chosen.key, agreement, dissent, "answered" if first else "partial", why)


def _words(work: Work, answers: Mapping[str, Contribution]) -> str:
    return work.plan.templates.fill("rank_answers", input=work.task, answers=listed(work, answers), letters=", ".join(sorted(answers)))


def _form(count: int) -> dict[str, Any]:
    ranking = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": count}
    return {"type": "object", "properties": {"ranking": ranking}, "required": ["ranking"]}


def _ranking(said: Contribution, answers: Mapping[str, Contribution]) -> list[str]:
    """The keys of the answers, the best first. What is no letter, or comes twice, does not count."""
    letters = said.data.get("ranking", []) if isinstance(said.data, dict) else []
    return [answers[one].key for one in dict.fromkeys(str(letter).strip().upper() for letter in letters) if one in answers]


def _points(rankings: Sequence[Sequence[str]], keys: Sequence[str]) -> dict[str, float]:
    """For each answer, the share of the others that it stands before, over all rankings. Those that a ranking leaves out share its last places."""
    points = dict.fromkeys(keys, 0.0)
    for ranking in rankings:
        left = [key for key in keys if key not in ranking]
        for place, key in enumerate(ranking):
            points[key] += len(keys) - 1 - place
        for key in left:
            points[key] += (len(left) - 1) / 2
    most = max(1, len(rankings) * (len(keys) - 1))
    return {key: round(value / most, 4) for key, value in points.items()}
