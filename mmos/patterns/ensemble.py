"""The ensemble: all members answer the same task side by side, and their answers become one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from mmos.patterns.carrying import too_few
from mmos.patterns.steps import first_words
from mmos.patterns.work import Contribution, Outcome, Work

Aggregate = Callable[[Work, Sequence[Contribution]], Awaitable[Outcome]]
AGGREGATES: Mapping[str, tuple[str, str]] = {
    "synthesize": ("mmos.patterns.writing", "synthesized"),
    "weighted": ("mmos.patterns.writing", "weighted"),
    "best": ("mmos.patterns.choosing", "best"),
    "best_of_n": ("mmos.patterns.choosing", "best_of_n"),
    "vote": ("mmos.patterns.counting", "voted"),
    "consensus": ("mmos.patterns.consensus", "agreed"),
}
"""Where each way to make one answer of several is. A run imports only the one that it uses."""


class Ensemble:
    """A member that fails or comes too late is left out, and the result says so."""

    async def run(self, work: Work) -> Outcome:
        given = await answers(work)
        answered = [one for one in given if one.ok]
        if len({one.member.name for one in answered}) < max(1, work.plan.min_members):
            raise too_few(work, len(answered))
        missing = missed(given, work)
        if len(answered) == 1:
            return Outcome(answered[0].text, answered[0].key, why=missing)
        outcome = await _aggregate(work.plan.aggregate)(work, answered)
        return replace(outcome, why="; ".join(filter(None, (outcome.why, missing))))


async def answers(work: Work) -> list[Contribution]:
    """What the members say to the task, each on its own. With `best_of_n`, each answers `samples` times."""
    samples = work.plan.samples if work.plan.aggregate == "best_of_n" else 1
    asks = []
    for member in work.plan.members:
        text = first_words(work.plan.templates, member, work.task)
        if samples == 1:
            asks.append(work.ask(member, text))
            continue
        asks += [work.ask(member, text, key=f"{member.name}-sample-{seed}", options={"seed": seed}) for seed in range(1, samples + 1)]
    return await work.side_by_side(asks)


def missed(given: Sequence[Contribution], work: Work) -> str:
    """Who gave no answer."""
    there = {one.member.name for one in given if one.ok}
    names = [one.name for one in work.plan.members if one.name not in there]
    return f"{', '.join(names)} gave no answer" if names else ""


def _aggregate(name: str) -> Aggregate:
    module, function = AGGREGATES[name]
    found: Aggregate = getattr(import_module(module), function)
    return found
