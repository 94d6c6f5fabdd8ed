"""Lets a pattern stand in place of a model: it answers, or it advises the model that acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mmos.context import Answer, Context, Halt
from mmos.errors import ToolError
from mmos.fences import Fenced
from mmos.messages import Message
from mmos.participant.loop import Exchange, NextExchange
from mmos.pattern_events import PatternAdvised, PatternAnswered
from mmos.patterns.carrying import carry, id_of
from mmos.patterns.gathering import Gathering
from mmos.patterns.plan import Contributor, Plan
from mmos.patterns.work import Outcome
from mmos.retelling import history_for
from mmos.views.patterns import PATTERN

CHAINED = ("sequential", "specialized")
"""Forms whose result is the advice. Of the others, each member gives advice of its own."""
SHARE = 0.5
"""The part of a window that what was said before may take."""


@dataclass(frozen=True)
class Standing:
    """Carries out the patterns that stand in place of models."""

    plan: Callable[[str], Plan]

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer:
        role, scope = exchange.member.role, exchange.scope
        plan = self.plan(role.pattern)
        if f"/{PATTERN}/" in scope.lane and role.pattern in _around(exchange):
            raise ToolError(plan.templates.fill("pattern_in_itself", name=plan.name))
        if scope.exchange.last.role != "user" or scope.lane in scope.view.patterns.advice:
            return await go_on(exchange)  # it goes on after a crash, or answers again
        advises = plan.advise or bool(exchange.member.box)
        context = Context(scope, exchange.room, PATTERN)
        try:
            if advises:
                plan = advising(plan)
            outcome = await carry(context, plan, self._told(exchange, plan), Gathering() if advises and plan.shape not in CHAINED else None)
        except Halt:
            raise context.halts[0] from None
        if advises:
            scope.record(PatternAdvised(scope.lane, self._advice(exchange, plan, outcome), role.name, id_of(context)))
        else:
            scope.record(PatternAnswered(scope.lane, Message("assistant", outcome.text), role.name, id_of(context)))
        return await go_on(exchange)

    @staticmethod
    def _told(exchange: Exchange, plan: Plan) -> Message:
        """The task, after what was said before in the conversation."""
        message, scope = exchange.scope.exchange.messages[0], exchange.scope
        before = "" if scope.depth else history_for(scope, plan.templates, tokens=exchange.member.role.window * SHARE, own=False)
        return replace(message, content=f"{before}\n\n{message.content}") if before else message

    @staticmethod
    def _advice(exchange: Exchange, plan: Plan, outcome: Outcome) -> str:
        members = exchange.scope.view.patterns.by_id[id_of(Context(exchange.scope, exchange.room, PATTERN))].members.values()
        lanes = exchange.scope.conversation.lanes
        texts = [(one.name, lanes[exchange.scope.run, one.lane].newest_text()) for one in members if one.status == "answered" and one.lane]
        if plan.shape in CHAINED or not texts:
            texts = [(plan.name, outcome.text)]
        told = "\n\n".join(plan.templates.fill("advice_of", name=name, text=text) for name, text in texts)
        return plan.templates.fill("advice", advice=Fenced(told))


def advising(plan: Plan) -> Plan:
    """The pattern without the member that acts: the others advise it."""
    acting, members = acting_of(plan), plan.members
    others = tuple(one for one in members if one != acting) or members
    return replace(plan, members=others, validate=False)


def acting_of(plan: Plan) -> Contributor:
    """The member whose model acts: the aggregator, else the last of a sequence, else the first."""
    return plan.aggregator or plan.members[-1 if plan.shape == "sequential" else 0]


def _around(exchange: Exchange) -> set[str]:
    """The names of the patterns that this lane is a part of."""
    runs, lane = exchange.scope.view.patterns.by_id.values(), exchange.scope.lane
    return {one.begun.name for one in runs if lane.startswith((f"{one.begun.lane}/{PATTERN}/", f"{one.begun.lane}/{one.begun.call}/"))}
