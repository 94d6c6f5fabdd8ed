"""The sequential form: each member goes on from the result of the one before."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.patterns.carrying import too_few
from mmos.patterns.plan import Contributor
from mmos.patterns.scoring import scored
from mmos.patterns.steps import first_words, next_words
from mmos.patterns.work import Contribution, Outcome, Work
from mmos.prompting.budget import estimate


@dataclass(frozen=True)
class Step:
    """The result of a step, and how good it is."""

    contribution: Contribution
    score: float | None = None
    fault: str = ""
    """Why it is not good enough."""


class Sequential:
    """Each member reads the task and the result so far. A step that fails is left out, and the result before it goes on."""

    async def run(self, work: Work) -> Outcome:
        members = work.plan.members[: work.plan.max_steps]
        good: list[Step] = []
        begun = work.scope.clock()
        for number, member in enumerate(members, 1):
            key, is_last = f"{number}-{member.name}", number == len(members)
            before = good[-1].contribution.text if good else ""
            text = (
                next_words(work.plan.templates, member, work.task, before) if good else first_words(work.plan.templates, member, work.task)
            )
            ask = work.ask(member, text, key=key, aloud=is_last and not work.plan.validate, files=not good or _has_room(work, member))
            given = await work.within(ask, begun, is_needed=not good, is_last=is_last)
            if given is not None and given.ok:
                self._keep(work, good, given)
        if len(good) < max(1, min(work.plan.min_members, len(members))):
            raise too_few(work, len(good))
        return _outcome(work, good[-1])

    def _keep(self, work: Work, good: list[Step], given: Contribution) -> None:
        """Go on from a result, unless it is checked and worse than the one before."""
        step = Step(given, *scored(work, given)) if work.plan.validate else Step(given)
        if good and step.score is not None and _is_worse(step, good[-1]):
            work.roll_back(given.key, good[-1].contribution.key, step.fault)
            return
        good.append(step)


def _has_room(work: Work, member: Contributor) -> bool:
    """Whether a later step reads the files of the task, too: where they fill at most half of its window."""
    return not member.prompt and 2 * sum(estimate(file.text) for file in work.message.files) <= member.window


def _is_worse(step: Step, before: Step) -> bool:
    return before.score is not None and step.score is not None and step.score < before.score


def _outcome(work: Work, last: Step) -> Outcome:
    failed = [one.name for one in work.record.members.values() if one.status != "answered"]
    why = [f"{', '.join(failed)} gave no answer"] if failed else []
    below = last.score is not None and last.score < work.plan.threshold
    if below:
        why.append(f"the result scores {last.score:.2f}, and {work.plan.threshold:g} is wanted: {last.fault}")
    return Outcome(last.contribution.text, last.contribution.key, status="partial" if below else "answered", why="; ".join(why))
