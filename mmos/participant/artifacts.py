"""Defines the tool with which a participant reads a text again that became shorter in its prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import ToolError
from mmos.events import ArtifactKept
from mmos.fences import fenced
from mmos.participant.cast import Member
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, Toolbox, parameters_of
from mmos.views.run import REFERENCE

NAME = "read_artifact"
LINES = 40
"""Lines that one call returns, if it does not say how many."""
WIDTH = 400
"""A longer line counts as several."""
MOST = 2_000
"""Characters that one call returns at most."""


def with_reader(box: Toolbox, member: Member) -> Toolbox:
    """The tools with the one that reads artifacts. A role without tools does not get it, and neither does one that must not have it."""
    reader = Toolbox.of([read_artifact(member.templates)]).permitted(None, member.rules.get("deny", ()))
    return Toolbox.of([*box, *reader]) if box and NAME not in box else box


def read_artifact(templates: Templates) -> Tool:
    properties = {
        "reference": {"type": "string", "description": templates.fill("read_artifact.reference")},
        "from": {"type": "integer", "minimum": 1, "description": templates.fill("read_artifact.from")},
        "lines": {"type": "integer", "minimum": 1, "description": templates.fill("read_artifact.lines", lines=str(LINES))},
    }
    spec = Spec(NAME, templates.fill("read_artifact"), parameters_of(properties, ["reference"]))
    return Tool(spec, partial(_read, templates), after_crash="repeat")


async def _read(templates: Templates, context: Context, arguments: Mapping[str, Any]) -> str:
    name = REFERENCE.search(f"artifact:{arguments['reference'].removeprefix('artifact:')}")
    text = await _text(context, name.group(1)) if name else None
    if text is None:
        raise ToolError(templates.fill("no_artifact", reference=arguments["reference"]))
    lines, first = list(_lines(text)), arguments.get("from") or 1
    part = lines[first - 1 : first - 1 + (arguments.get("lines") or LINES)]
    while len(part) > 1 and sum(map(len, part)) > MOST:
        part.pop()
    end = first + len(part) - 1
    return templates.fill("artifact", first=str(first), end=str(end), count=str(len(lines)), text=fenced("\n".join(part)))


async def _text(context: Context, name: str) -> str | None:
    """The text behind a reference that the caller has read. Nobody reads texts that another participant was given."""
    scope = context.scope
    lane = scope.exchange
    read = [*lane.before(lane.history.skipped), *lane.messages]
    if not any(message.role != "assistant" and name in REFERENCE.findall(message.content) for message in read):
        return None
    if name in scope.view.artifacts:
        return scope.view.artifacts[name].text
    entries = await scope.journal.read(thread=scope.thread, kinds=(ArtifactKept.kind,))
    return next(
        (entry.event.text for entry in reversed(entries) if isinstance(entry.event, ArtifactKept) and entry.event.artifact == name), None
    )


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from re.findall(f".{{1,{WIDTH}}}", line) or [""]
