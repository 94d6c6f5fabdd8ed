"""Answers tasks that are larger than a window. An app gives it to its participants."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.chunking.plan import Slots, check_limits, plan_of
from mmos.chunking.reading import Reading
from mmos.context import Answer
from mmos.errors import WindowExceeded
from mmos.participant.loop import Exchange, NextExchange
from mmos.views.chunks import DIVISION
from mmos.views.quality import is_judgement
from mmos.views.recoveries import is_advice

MOST_AT_ONCE = 16
DEEPEST = 3
"""How often a part may be divided again, because its host counts more tokens than MMOS estimated."""


@dataclass(frozen=True)
class Dividing:
    """Reads a task in parts when it does not fit."""

    slots: Slots

    async def exchange(self, exchange: Exchange, go_on: NextExchange, refused: WindowExceeded | None = None) -> Answer:
        """`refused`: why the whole task was refused."""
        scope = exchange.scope
        plan = None
        if scope.lane.count(f"/{DIVISION}/") < DEEPEST and not is_judgement(scope.lane) and not is_advice(scope.lane):
            plan = plan_of(exchange, insist=refused is not None)
        if plan is None:
            if refused is not None:
                raise refused
            return await go_on(exchange)
        if scope.lane not in scope.view.divisions.by_lane:
            check_limits(scope, plan)
            scope.record(plan.divided)
        role = exchange.member.role
        at_once = min(MOST_AT_ONCE, max(1, self.slots(role.model, role.servers)))
        await Reading(exchange, plan, at_once).run()
        return await go_on(exchange)
