"""Makes `search_library`: a model finds passages in the documents of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mmos import citing
from mmos.calls.spec import Spec
from mmos.citing import Asked
from mmos.context import Context
from mmos.errors import ToolError, UserError
from mmos.library_events import PassagesFound
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of

SEARCH_LIBRARY = "search_library"


class LookUp(Protocol):
    """Looks questions up in the library, and records what was found."""

    async def look_up(self, context: Context, asked: Asked) -> PassagesFound: ...


def search_library(collections: Sequence[str], usual: str, library: LookUp, templates: Templates) -> Tool:
    """The tool, for these collections. `usual`: the one that is searched when the model names none."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> str:
        collection = arguments.get("collection") or usual
        asked = Asked(context.scope.lane, arguments["query"], collection, "call", context.call)
        try:
            found = await library.look_up(context, asked)
        except UserError as error:
            raise ToolError(error.message) from error
        if not found.passages:
            return templates.fill("passages_none", collection=collection)
        return templates.fill("passages_result", passages=citing.written(found.passages, templates))

    properties = {
        "query": {"type": "string", "description": templates.fill("search_library.query")},
        "collection": {
            "type": "string",
            "enum": list(collections),
            "description": templates.fill("search_library.collection", usual=usual),
        },
    }
    description = templates.fill("search_library", collections=", ".join(collections))
    return Tool(Spec(SEARCH_LIBRARY, description, parameters_of(properties, ["query"])), run, after_crash="repeat")
