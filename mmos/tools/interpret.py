"""Makes the tool with which a model asks the interpreter which call a text means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.calls.interpreting import INTERPRETS
from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.toolbox import Tool


async def _run(context: Context, arguments: Mapping[str, Any]) -> Any:
    found = await context.interpret(arguments["text"])
    if isinstance(found, str):
        raise ToolError(
            f"The interpreter found no call in the text: {found}.", next_step="Make the call yourself, or ask for a clearer text."
        )
    return {"success": True, "calls": [{"name": call.name, "arguments": call.arguments} for call in found]}


reinterpret_with_functiongemma = Tool(
    Spec(
        INTERPRETS,
        "Find out which call of your tools an unclear text means. The call is told to you and not made.",
        {
            "type": "object",
            "properties": {"text": {"type": "string", "description": "The text, word for word."}},
            "required": ["text"],
            "additionalProperties": False,
        },
    ),
    _run,
    after_crash="repeat",
)
