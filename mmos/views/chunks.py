"""Builds what a run shows of the tasks that it read in parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmos.chunk_events import PartFailed, PartsJoined, TaskCondensed, TaskDivided
from mmos.event import Event
from mmos.messages import File, Message

DIVISION = "division"
"""In place of a call in the addresses of the lanes of parts."""
_PART = re.compile(rf"/{DIVISION}/(part|notes)-(\d+(?:-\d+)?)-of-(\d+)(?:~\d+)?$")
KINDS: tuple[type[Event], ...] = (TaskDivided, PartFailed, TaskCondensed, PartsJoined)
"""The events that this view is made of."""


def part_of(lane: str) -> str:
    """What is read in a lane: `part 3 of 12`, or `notes 1 of 4`. Empty: it is no lane of a part."""
    found = _PART.search(lane)
    return f"{found[1]} {found[2].rpartition('-')[2]} of {found[3]}" if found else ""


class Run(Protocol):
    """What is said of a run."""

    lane: str
    task: str
    files: tuple[File, ...]


@dataclass
class Division:
    """A task that is read in parts."""

    divided: TaskDivided
    failed: dict[int, str] = field(default_factory=dict)
    """Why a part could not be read, by its number."""
    condensed: TaskCondensed | None = None
    joined: PartsJoined | None = None

    def document(self) -> dict[str, Any]:
        divided = self.divided
        return {
            "role": divided.role, "lane": divided.lane, "way": divided.way, "why": divided.why, "parts": divided.parts,
            "tokens": divided.tokens, "window": divided.window,
            "failed": [{"part": number, "why": why} for number, why in sorted(self.failed.items())],
        }  # fmt: skip


@dataclass
class Divisions:
    """The tasks of a run that are larger than a window, by lane."""

    by_lane: dict[str, Division] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        if isinstance(event, TaskDivided):
            self.by_lane[event.lane] = Division(event)
        elif (division := self.by_lane.get(getattr(event, "lane", ""))) is not None:
            match event:
                case PartFailed():
                    division.failed[event.number] = event.why
                case TaskCondensed():
                    division.condensed = event
                case PartsJoined():
                    division.joined = event

    def takes_notes(self, lane: str) -> bool:
        """Whether the lane of a part gives notes, and no piece of the answer."""
        division = self.by_lane.get(lane.rpartition(f"/{DIVISION}/")[0])
        return division is not None and division.divided.way != "rewritten"

    def told(self, run: Run) -> Message:
        """The task of a run as participants are told it: word for word, or what stands in place of a task that is larger than a window."""
        division = self.by_lane.get(run.lane)
        return Message("user", run.task, files=run.files) if division is None or division.condensed is None else division.condensed.message

    def documents(self) -> list[Mapping[str, Any]]:
        return [division.document() for division in self.by_lane.values()]
