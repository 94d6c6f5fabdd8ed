"""Makes the tool with which a model finds tools that its prompt left out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.relevance import FIND_TOOLS, MOST_FOUND, Shortlist
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of


async def _run(shortlist: Shortlist, templates: Templates, _context: Context, arguments: Mapping[str, Any]) -> Any:
    specs = {spec.name: spec for spec in shortlist.specs}
    found = shortlist.index.ranked(arguments["query"])[:MOST_FOUND]
    if not found:
        raise ToolError(templates.fill("no_tool_found", tools=", ".join(specs)))
    return {"tools": [{"name": name, "description": specs[name].description} for name in found]}


def find_tools(shortlist: Shortlist, templates: Templates) -> Tool:
    """Make the tool. What it finds is offered from the next turn on."""
    properties = {"query": {"type": "string", "description": templates.fill("find_tools.query")}}
    number = str(len(shortlist.specs) - shortlist.limit)
    spec = Spec(FIND_TOOLS, templates.fill("find_tools", number=number), parameters_of(properties, ["query"]))
    return Tool(spec, partial(_run, shortlist, templates), after_crash="repeat")
