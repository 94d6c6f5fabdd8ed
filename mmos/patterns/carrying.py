"""Carries out a pattern: chooses the form, records the beginning and the end, and does nothing twice after a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from mmos.context import Context
from mmos.errors import MmosError, NoHost, ToolError
from mmos.messages import Message
from mmos.pattern_events import PatternBegun, PatternEnded
from mmos.patterns.plan import Plan
from mmos.patterns.turns import SHARE, Turns
from mmos.patterns.work import Form, Outcome, Work
from mmos.scope import Scope
from mmos.views.patterns import PATTERN

FORMS: Mapping[str, tuple[str, str]] = {
    "sequential": ("mmos.patterns.sequential", "Sequential"),
    "ensemble": ("mmos.patterns.ensemble", "Ensemble"),
    "voting": ("mmos.patterns.voting", "Voting"),
    "parallel": ("mmos.patterns.parallel", "Parallel"),
    "specialized": ("mmos.patterns.specialized", "Specialized"),
}
"""Where each form is. A run imports only the one that it uses."""


def form_of(plan: Plan) -> Form:
    made: Callable[[], Form] = plan.form or getattr(import_module(FORMS[plan.shape][0]), FORMS[plan.shape][1])
    return made()


async def carry(
    context: Context, plan: Plan, message: Message, form: Form | None = None, *, aloud: bool = True, query: str = ""
) -> Outcome:
    """Work on a task as the plan says, or in another form. Raises `ToolError` when too few members answer, and `NoHost` when no host can serve any of them.

    Args:
        aloud: Whether the user may hear the result while it is written, because it is the answer of this lane.
        query: What is looked up in the library. Default: the task of the pattern around, or of this one.
    """
    scope, pattern = context.scope, id_of(context)
    if plan.name in _around(scope):
        raise ToolError(plan.templates.fill("pattern_in_itself", name=plan.name))
    if pattern not in scope.view.patterns.by_id:
        scope.record(begun(context, plan, pattern))
    if plan.look_up is not None and pattern not in scope.view.passages.by_place:
        await plan.look_up(context, pattern, query or _task_of(context, message))
    work = Work(context, plan, message, pattern, aloud, turns_of(context, plan))
    start = scope.clock()
    try:
        outcome = await (form or form_of(plan)).run(work)
    except NoHost:  # nothing is over: the run can be resumed when a host is there
        raise
    except MmosError as error:
        _end(work, PatternEnded(pattern, "failed", seconds=scope.clock() - start, why=error.message))
        raise
    _end(work, PatternEnded(
        pattern, "partial" if outcome.status == "partial" else "answered", outcome.text, outcome.chosen, outcome.agreement,
        dict(outcome.dissent), scope.clock() - start, outcome.why,
    ))  # fmt: skip
    return outcome


def begun(context: Context, plan: Plan, pattern: str) -> PatternBegun:
    aggregate = plan.aggregate if plan.shape == "ensemble" else ""
    voting = plan.voting if plan.counts_votes else ""
    names, models = tuple(one.name for one in plan.members), tuple(one.model for one in plan.members)
    return PatternBegun(pattern, context.scope.lane, context.call, plan.name, plan.shape, aggregate, voting, names, models, plan.ad_hoc)


def turns_of(context: Context, plan: Plan) -> Turns:
    """The order of members whose models cannot be in memory together."""
    models = {one.model: one.who for one in plan.members}
    if len(models) < 2 or not plan.joins:
        return Turns()
    joiner = plan.deciding.model
    return Turns(joiner, plan.deadline and plan.deadline * SHARE, lambda: context.room.order(models.values(), joiner))


def id_of(context: Context) -> str:
    """The id in the run: that of the call that carries the pattern out, in its lane."""
    return f"{context.scope.lane}/{context.effect_id.partition('/')[2]}"


def _around(scope: Scope) -> set[str]:
    """The names of the patterns that a lane is a part of."""
    begun = [one.begun for one in scope.view.patterns.by_id.values()]
    return {one.name for one in begun if scope.lane.startswith(f"{one.lane}/{one.call}/")}


def _task_of(context: Context, message: Message) -> str:
    """The words of the task, without what was said before and without what members of patterns around have written."""
    if context.call != PATTERN:
        return message.content
    lane = context.scope.lane
    while (above := lane.rsplit("/", 2))[1:-1] == [PATTERN]:
        lane = above[0]
    return context.scope.conversation.lanes[context.scope.run, lane].messages[0].content


def _end(work: Work, ended: PatternEnded) -> None:
    if work.record.ended is None:
        work.scope.record(ended)


def too_few(work: Work, answers: int) -> MmosError:
    """What the caller reads when fewer members answered than the pattern needs. If no host could serve any of them, that is the fault."""
    unserved = work.losses.unserved
    if unserved and unserved.keys() == work.record.members.keys():
        return next(iter(unserved.values()))
    faults = "; ".join(f"{one.name}: {one.why}" for one in work.record.members.values() if one.why)
    return ToolError(work.plan.templates.fill("pattern_failed", name=work.plan.name, answers=str(answers), faults=faults or "no answer"))
