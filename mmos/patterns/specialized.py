"""The specialized form: the member answers that fits the task."""

from __future__ import annotations

from random import Random

from mmos.catalog.naming import billions, said
from mmos.choice.classifier import classifier_of
from mmos.patterns.carrying import too_few
from mmos.patterns.plan import Contributor
from mmos.patterns.steps import first_words
from mmos.patterns.work import Outcome, Work
from mmos.selection.candidate import Candidate, Task
from mmos.selection.selector import Selector
from mmos.selection.table import promised


class Specialized:
    """The classifier says what kind of task it is, and what is known of the members says whom it fits. When one fails, the next answers."""

    async def run(self, work: Work) -> Outcome:
        failed: list[str] = []
        for member, why in ranked(work):
            given = await work.ask(member, first_words(work.plan.templates, member, work.task), aloud=True)
            if given.ok:
                before = f"; {', '.join(failed)} gave no answer" if failed else ""
                return Outcome(given.text, given.key, why=why + before)
            failed.append(member.name)
        raise too_few(work, 0)


def ranked(work: Work) -> list[tuple[Contributor, str]]:
    """The members, the one that fits best first, each with the reason."""
    found = classifier_of({}).classify(work.task)
    task = Task(found.type, found.complexity, requires_speed=found.requires_speed)
    members = {one.name: one for one in work.plan.members}
    choice = Selector.of("score").choose(task, [_candidate(one) for one in members.values()], Random(work.id))
    return [(members[row.candidate.name], f"the task is {found.type or 'of no sure kind'}") for row in choice.rows]


def _candidate(member: Contributor) -> Candidate:
    capabilities = frozenset(said(member.model)) | promised(member.name, member.task)
    return Candidate(member.name, member.model, capabilities=capabilities, parameters=billions(member.model))
