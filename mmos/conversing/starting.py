"""Makes the tool with which the arbiter lets several specialists talk with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.conversing.terms import Terms
from mmos.errors import ToolError
from mmos.talk_events import Mode
from mmos.toolbox import Tool, parameters_of
from mmos.views.talks import TOOL

MODES: tuple[Mode, ...] = ("direct", "mediated")


def start_multi_model_conversation(terms: Terms) -> Tool:
    """`start_multi_model_conversation(topic, participants, mode, goal?, include_history?, max_turns?)`."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        check(terms, arguments, context.scope.role)
        from mmos.conversing.holding import held  # few runs talk

        return await held(context, terms, arguments)

    return Tool(_spec(terms), run, after_crash="repeat")


def _spec(terms: Terms) -> Spec:
    templates, text, names = terms.templates, {"type": "string"}, list(terms.participants)
    listed = templates.fill("start_multi_model_conversation.participants", names=", ".join(names), most=str(terms.most_participants))
    return Spec(
        TOOL,
        templates.fill("start_multi_model_conversation"),
        parameters_of(
            {
                "topic": {**text, "description": templates.fill("start_multi_model_conversation.topic")},
                "participants": {"type": "array", "items": {**text, "enum": names}, "description": listed},
                "mode": {**text, "enum": list(MODES), "description": templates.fill("start_multi_model_conversation.mode")},
                "goal": {**text, "description": templates.fill("start_multi_model_conversation.goal")},
                "include_history": {"type": "boolean", "description": templates.fill("start_multi_model_conversation.include_history")},
                "max_turns": {"type": "integer", "minimum": 1, "description": templates.fill("start_multi_model_conversation.max_turns")},
            },
            ["topic", "participants", "mode"],
        ),
    )


def check(terms: Terms, arguments: Mapping[str, Any], caller: str) -> None:
    """Raise if such a talk may not be held. The message says what to change."""
    templates, names = terms.templates, list(arguments["participants"])
    able = [name for name in terms.participants if name != caller]
    most = arguments.get("max_turns") or terms.most_turns
    if unknown := [name for name in names if name not in able]:
        raise ToolError(templates.fill("talk_unknown", name=unknown[0], names=", ".join(able)))
    if twice := _double(names):
        raise ToolError(templates.fill("talk_twice", name=twice))
    if len(names) < 2:
        raise ToolError(templates.fill("talk_alone", names=", ".join(able)))
    if len(names) > terms.most_participants:
        raise ToolError(templates.fill("talk_too_many", count=str(len(names)), most=str(terms.most_participants)))
    if most > terms.most_turns or most < len(names):
        raise ToolError(templates.fill("talk_turns", turns=str(most), least=str(len(names)), most=str(terms.most_turns)))
    if arguments["mode"] == "direct" and not terms.direct:
        raise ToolError(templates.fill("talk_not_direct"))


def _double(names: Sequence[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")
