"""Lists answers without the names of their authors, in an order that chance makes and a resumed run makes again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from string import ascii_uppercase

from mmos.fences import Fenced
from mmos.patterns.work import Contribution, Work


def lettered(work: Work, answers: Sequence[Contribution], step: str, *, reverse: bool = False) -> dict[str, Contribution]:
    """The answers by their letters. `step`: what they are listed for, because each step has an order of its own."""
    shuffled = list(answers)
    Random(f"{work.scope.run}/{work.id}/{step}").shuffle(shuffled)
    if reverse:
        shuffled.reverse()
    return {letter(number): one for number, one in enumerate(shuffled)}


def letter(number: int) -> str:
    """A to Z, then AA to ZZ."""
    return ascii_uppercase[number % 26] * (number // 26 + 1)


def listed(work: Work, answers: Mapping[str, Contribution], weights: Mapping[str, float] | None = None) -> Fenced:
    """The answers, each under its letter and between lines that it cannot close."""
    templates = work.plan.templates
    heads = {
        name: templates.fill("answer_weight", letter=name, weight=f"{weights[one.member.name]:g}") if weights else name
        for name, one in answers.items()
    }
    return Fenced("\n\n".join(templates.fill("one_answer", letter=heads[name], text=one.text) for name, one in answers.items()))
