"""Recovers exchanges and tool calls. An app gives it to its participants."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.context import Answer
from mmos.errors import ToolError
from mmos.executor import Execution, Next
from mmos.participant.loop import Exchange, NextExchange, Participants
from mmos.recovery.cure import Terms
from mmos.recovery.exchanges import OfExchange
from mmos.recovery.tool_calls import OfCall
from mmos.views.quality import is_judgement
from mmos.views.recoveries import is_advice


@dataclass(frozen=True)
class Recovery:
    """Recovers what fails, except within a recovery."""

    terms: Terms

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer:
        if is_advice(exchange.scope.lane) or is_judgement(exchange.scope.lane):
            return await go_on(exchange)
        return await OfExchange(self.terms, exchange.room, exchange.scope, exchange, go_on).run()

    async def call(self, room: Participants, execution: Execution, go_on: Next) -> str:
        if is_advice(execution.scope.lane):
            return await go_on(execution)
        error: ToolError | None = None
        if not execution.scope.view.recoveries.attempts:  # nearly every call: nothing to go on with
            try:
                return await go_on(execution)
            except ToolError as fault:
                error = fault
        return await OfCall(self.terms, room, execution.scope, execution, go_on).run(error)
