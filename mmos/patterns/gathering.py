"""Gathers what each member says to the task, and puts nothing together."""

from __future__ import annotations

from mmos.patterns.carrying import too_few
from mmos.patterns.steps import first_words
from mmos.patterns.work import Outcome, Work


class Gathering:
    """All members work on the task side by side."""

    async def run(self, work: Work) -> Outcome:
        templates = work.plan.templates
        given = await work.side_by_side([work.ask(one, first_words(templates, one, work.task)) for one in work.plan.members])
        answers = [one.text for one in given if one.ok]
        if len(answers) < work.plan.min_members:
            raise too_few(work, len(answers))
        return Outcome("\n\n".join(answers))
