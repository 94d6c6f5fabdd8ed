"""Makes the tool with which the arbiter lets several models work in a ready form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.messages import Message
from mmos.patterns.carrying import carry, id_of
from mmos.patterns.plan import Plan
from mmos.prompting.digest import digest
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of
from mmos.views.patterns import TOOL

MOST_DESCRIBED = 12
"""The patterns whose purposes the description of the tool names."""


def run_pattern(plan: Callable[[str], Plan], purposes: Mapping[str, str], templates: Templates, answer_chars: int) -> Tool:
    """`run_pattern(pattern, task)`. `purposes`: what each pattern is good for, by name."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        told = templates.fill("run_pattern.brief", task=context.told.content, query=arguments["task"])
        outcome = await carry(
            context, plan(arguments["pattern"]), Message("user", told, files=context.told.files), aloud=False, query=arguments["task"]
        )
        record = context.scope.view.patterns.by_id[id_of(context)].document()
        members = [{"name": one["name"], "status": one["status"], "vote": one["vote"]} for one in record["members"]]
        return {
            "success": True, "response": _passed_on(context, outcome.text), "agreement": outcome.agreement, "dissent": dict(outcome.dissent),
            "members": members, "why": outcome.why,
        }  # fmt: skip

    def _passed_on(context: Context, text: str) -> str:
        """A long text becomes a digest with a reference. The user gets the whole text in its place."""
        if len(text) <= answer_chars:
            return text
        reference = context.scope.keep("", text)
        return templates.fill("digest", artifact=reference, length=f"{len(text):,}", digest=digest(text))

    return Tool(_spec(purposes, templates), run, after_crash="repeat")


def _spec(purposes: Mapping[str, str], templates: Templates) -> Spec:
    described = "; ".join(f"{name}: {purpose}" for name, purpose in list(purposes.items())[:MOST_DESCRIBED])
    names = list(purposes)
    properties = {
        "pattern": {"type": "string", "enum": names, "description": templates.fill("run_pattern.pattern", names=", ".join(names))},
        "task": {"type": "string", "description": templates.fill("run_pattern.task")},
    }
    return Spec(TOOL, templates.fill("run_pattern", patterns=described), parameters_of(properties, list(properties)))
