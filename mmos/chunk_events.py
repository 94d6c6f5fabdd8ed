"""Defines the events about tasks that are larger than a window. `mmos.events` has them, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmos.event import Event
from mmos.messages import Message

Way = Literal["mapped", "rewritten", "followed"]
"""mapped: each part is read by itself, several at the same time, and the notes are put together. rewritten: one part after the other is
written anew, and the results are joined. followed: one part after the other is read, and the notes go on from part to part."""


@dataclass(frozen=True)
class TaskDivided(Event):
    """A task is larger than the window of the participant that answers it. So it is read in parts."""

    kind = "task_divided"
    lane: str
    role: str = ""
    parts: int = 0
    way: Way = "mapped"
    why: str = ""
    """What spoke for this way."""
    tokens: int = 0
    """The estimated tokens of the task."""
    window: int = 0
    budget: float = 0.0
    """The most tokens of a part, by the estimate that knows no model. The same budget gives the same parts again."""


@dataclass(frozen=True)
class PartFailed(Event):
    """A part of a task could not be read. The answer does without it, and says so."""

    kind = "part_failed"
    lane: str
    role: str = ""
    number: int = 0
    of: int = 0
    why: str = ""


@dataclass(frozen=True)
class TaskCondensed(Event):
    """All parts of a task have been read. From here on, its participant sees this message in place of the task."""

    kind = "task_condensed"
    lane: str
    message: Message
    role: str = ""


@dataclass(frozen=True)
class PartsJoined(Event):
    """All parts of a task have been written anew. Joined, they are the answer of its participant."""

    kind = "parts_joined"
    lane: str
    message: Message
    role: str = ""
