"""Holds the talk that the arbiter wants, and gives it the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.context import Context
from mmos.conversing.direct import Direct
from mmos.conversing.mediating import Mediated
from mmos.conversing.reading import short
from mmos.conversing.spending import is_spent
from mmos.conversing.table import Table
from mmos.conversing.terms import Terms
from mmos.errors import ToolError
from mmos.talk_events import TalkClosed, TalkOpened


async def held(context: Context, terms: Terms, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a talk. One that has ended gives its result again."""
    names = tuple(arguments["participants"])
    opened = TalkOpened(
        "", mode=arguments["mode"], topic=arguments["topic"], goal=arguments.get("goal") or "", participants=names,
        max_turns=arguments.get("max_turns") or terms.most_turns, max_rounds=terms.most_rounds,
        history=terms.full_history or bool(arguments.get("include_history")),
    )  # fmt: skip
    begun = context.effect_id.partition("/")[2] in context.scope.view.talks.by_id
    if not begun and is_spent(context.scope, 2 * len(names) + 1):
        raise ToolError(terms.templates.fill("talk_no_budget"))
    table = Table.open(context, terms, opened)
    mode = Mediated if opened.mode == "mediated" else Direct
    closed = table.talk.closed or await mode.hold(table)
    if closed.ended == "failed":
        raise ToolError(terms.templates.fill("talk_failed", names=", ".join(names)))
    return result_of(table, closed)


def result_of(table: Table, closed: TalkClosed) -> dict[str, Any]:
    """What the arbiter reads. `answers`: what each participant wrote last, as it was passed on."""
    answers = {said.sent.sender: said.text for said in table.talk.messages if not said.dropped}
    return {
        "success": True,
        "verdict": closed.verdict,
        "reasons": list(closed.reasons),
        "dissent": closed.dissent,
        "own_verdict": closed.own_verdict,
        "record": {name: found for name, found in closed.record.items() if found},
        "ended": closed.ended,
        "messages": len(table.talk.sent),
        "answers": {name: short(table, name, text) for name, text in answers.items()},
    }
