"""Makes the tools with which a model looks further in the log of a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from mmos.calls.patterns import UnknownPattern
from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.diagnosis.log import Line
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.threads import on_thread
from mmos.toolbox import Tool, parameters_of


class Part(Protocol):
    """Lines of a log, and the number to go on with if they are not all."""

    @property
    def lines(self) -> Sequence[Line]: ...
    @property
    def next(self) -> int | None: ...


class Searchable(Protocol):
    """A log that can be searched."""

    def view(self, first: int, last: int) -> Part: ...
    def search(self, pattern: str, first: int = 1) -> Part: ...


Logs = Mapping[str, Searchable]
"""The logs of the runs at work that explain a failure, by the id of the run."""


def log_tools(templates: Templates, logs: Logs) -> list[Tool]:
    number = {"type": "integer", "minimum": 1}
    pattern = {
        "pattern": {"type": "string", "description": templates.fill("log_search.pattern")},
        "first": {**number, "description": templates.fill("log_search.first")},
    }
    lines = {
        "first": {**number, "description": templates.fill("log_view.first")},
        "last": {**number, "description": templates.fill("log_view.last")},
    }
    search = Spec("log_search", templates.fill("log_search"), parameters_of(pattern, ["pattern"]))
    view = Spec("log_view", templates.fill("log_view"), parameters_of(lines, ["first", "last"]))
    return [
        Tool(search, partial(_search, templates, logs), after_crash="repeat"),
        Tool(view, partial(_view, templates, logs), after_crash="repeat"),
    ]


async def _search(templates: Templates, logs: Logs, context: Context, arguments: Mapping[str, Any]) -> str:
    log, first = _log(templates, logs, context), arguments.get("first") or 1
    try:
        part = await on_thread(partial(log.search, arguments["pattern"], first))
    except UnknownPattern as error:
        raise ToolError(templates.fill("log_pattern", problem=str(error))) from None
    if not part.lines and part.next is None:
        return templates.fill("log_no_match", first=str(first))
    return _told(templates, part)


async def _view(templates: Templates, logs: Logs, context: Context, arguments: Mapping[str, Any]) -> str:
    log = _log(templates, logs, context)
    return _told(templates, await on_thread(partial(log.view, arguments["first"], arguments["last"])))


def _log(templates: Templates, logs: Logs, context: Context) -> Searchable:
    log = logs.get(context.scope.run)
    if log is None:
        raise ToolError(templates.fill("log_gone"))
    return log


def _told(templates: Templates, part: Part) -> str:
    lines = [f"{line.number} | {line.text}" for line in part.lines]
    return "\n".join([*lines, *([templates.fill("log_more", next=str(part.next))] if part.next else [])])
