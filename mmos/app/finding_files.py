"""Lets a model find the files of a folder that an instruction is about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import orjson

from mmos.app.lifecycle import RunOptions, Watch
from mmos.app.ready import FINDING
from mmos.app.stream import Stream
from mmos.config.routing_schema import Answering
from mmos.errors import HostError, NoAnswer, ToolError
from mmos.event import Event
from mmos.prompting.templates import Templates
from mmos.tools.ready.folder import Folder
from mmos.views.document import UNSERVED

MOST_TURNS = 24


class Finder(Protocol):
    """What finding needs of an app."""

    templates: Templates

    def stream(self, task: str, *, options: RunOptions | None = None, watch: Watch | None = None) -> Stream: ...


def _unheard(_event: Event) -> None:
    return


async def find(
    app: Finder, instruction: str, root: Path, options: RunOptions | None = None, on_event: Callable[[Event], None] = _unheard
) -> list[Path]:
    """The files below `root` that must be changed, as a model proposes them after it has looked. It changes none.

    Raises `NoAnswer` if it proposes none, and the error of the run if that fails. `options`: those of the run; of a pattern, the acting
    model looks, alone.
    """
    task = app.templates.fill("find_files", instruction=instruction)
    answer = await app.stream(task, options=_looking(options or RunOptions(), root)).to_end(on_event)
    if answer.status == "cancelled":
        raise asyncio.CancelledError
    if answer.reason is not None and answer.reason.code in UNSERVED:
        raise HostError(answer.reason.message, next_step=answer.reason.next)
    answer.raise_for_status()
    paths = [*_proposed(answer.text or "", Folder(app.templates, root))]
    if not paths:
        raise NoAnswer(
            "The model named no file that must be changed.", next_step="Name the files with --file, or say more in the instruction."
        )
    return [root / path for path in paths]


def _looking(options: RunOptions, root: Path) -> RunOptions:
    """The options of the run that finds: one model with the tools that look. What is for the answer of the user is left out."""
    strategy: Answering | None = None if options.role_only or options.pattern else "single"
    return replace(
        options, tools=[FINDING], folder=str(root), strategy=strategy, max_turns=options.max_turns or MOST_TURNS,
        schema=None, validate=None, quality_threshold=None, consult="",
    )  # fmt: skip


def _proposed(text: str, folder: Folder) -> Iterator[str]:
    """The paths of files that are there. The tool has checked them, but the model may have written a text in place of the call."""
    try:
        paths = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    for path in paths if isinstance(paths, list) else ():
        try:
            if isinstance(path, str) and folder.check_writable(path) and folder.exists(path):
                yield path
        except ToolError:
            continue
