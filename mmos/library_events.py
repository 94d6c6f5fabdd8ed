"""Defines the events about the library: passages that a run was given. `mmos.events` has them, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmos.event import Event

AskedBy = Literal["task", "call", "pattern"]


@dataclass(frozen=True)
class PassagesFound(Event):
    """MMOS looked a question up in the library."""

    kind = "passages_found"
    place: str
    """Whose prompts have the passages: the address of a lane, or the id of a pattern for all of its members. Of a tool call: its lane."""
    query: str = ""
    collection: str = ""
    by: AskedBy = "task"
    """task: for the task of the lane. pattern: for the members of a pattern. call: a model called a tool, and has the passages in its result."""
    call: str = ""
    passages: tuple[Mapping[str, Any], ...] = ()
    """What was found: number, collection, source, start, end, text, title, path, score. Numbers are counted in the thread, from 1."""
    queries: tuple[str, ...] = ()
    """The question in other words, if a model wrote some."""
    why: str = ""
    """Why there are none."""
    seconds: float = 0.0


@dataclass(frozen=True)
class PassagesLeftOut(Event):
    """A window had no room for all passages that were found, so the prompts of a lane have only the best of them."""

    kind = "passages_left_out"
    lane: str
    role: str = ""
    given: int = 0
    """How many passages its prompts have from now on."""
    found: int = 0
