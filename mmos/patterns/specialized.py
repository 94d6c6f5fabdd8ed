"""The specialized form: the member answers that fits the task."""

from __future__ import annotations

from random import Random

from mmos.catalog.naming import billions, said
from mmos.choice.classifier import Classification, classifier_of
from mmos.names import same_model
from mmos.patterns.carrying import too_few
from mmos.patterns.plan import Contributor, Guide
from mmos.patterns.steps import first_words
from mmos.patterns.work import Outcome, Work
from mmos.selection.candidate import Candidate, Task
from mmos.selection.selector import Selector
from mmos.selection.table import promised


class Specialized:
    """The rules, the kind of the task and what is known of the members say whom it fits. When one fails, the next answers."""

    async def run(self, work: Work) -> Outcome:
        failed: list[str] = []
        members, begun = ranked(work), work.scope.clock()
        for number, (member, why) in enumerate(members, 1):
            ask = work.ask(member, first_words(work.plan.templates, member, work.task), aloud=True)
            given = await work.within(ask, begun, is_needed=True, is_last=number == len(members))
            if given is not None and given.ok:
                before = f"; {', '.join(failed)} gave no answer" if failed else ""
                return Outcome(given.text, given.key, why=why + before)
            failed.append(member.name)
        raise too_few(work, 0)


def ranked(work: Work) -> list[tuple[Contributor, str]]:
    """The members, each with the reason: first those that a rule names, then those whose task is of this kind, then those that fit best."""
    guide, members = work.plan.guide, work.plan.members
    found = guide.classify(work.question) if guide else classifier_of({}).classify(work.question)
    named, rule = guide.named(work.question, found) if guide else ((), "")
    by_rule = [(one, rule) for name in named for one in members if _is(one, name)]
    of_kind = [(one, f"its task is {found.type}") for one in members if found.type and one.task.lower() == found.type]
    rest = [(one, f"the task is {found.type or 'of no sure kind'}") for one in _by_fit(work, found)]
    first: dict[str, tuple[Contributor, str]] = {}
    for one, why in (*by_rule, *of_kind, *rest):
        first.setdefault(one.name, (one, why))
    return list(first.values())


def _is(member: Contributor, name: str) -> bool:
    """Whether a rule that names a role or a model means this member."""
    return name in (member.who, member.name) or same_model(member.model, name)


def _by_fit(work: Work, found: Classification) -> list[Contributor]:
    task = Task(found.type, found.complexity, requires_speed=found.requires_speed)
    members = {one.name: one for one in work.plan.members}
    choice = Selector.of("score").choose(task, [_candidate(one, work.plan.guide) for one in members.values()], Random(work.id))
    return [members[row.candidate.name] for row in choice.rows]


def _candidate(member: Contributor, guide: Guide | None) -> Candidate:
    own = guide.capabilities(member.model) if guide else frozenset()
    capabilities = own | frozenset(said(member.model)) | promised(member.name, member.task)
    return Candidate(member.name, member.model, capabilities=capabilities, parameters=billions(member.model))
