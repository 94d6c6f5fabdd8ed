"""Defines the events about runs as wholes: forks, phases, requests to cancel, ratings, batches. `mmos.events` has them, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event

PhaseChanger = Literal["model", "recovery", "user", "start"]
"""Who changes the phase of a run. `start`: the run begins with it."""


@dataclass(frozen=True)
class Forked(Event):
    """The first entry of a thread that has the past of another thread. Entries are not copied: whoever reads the thread reads them there."""

    kind = "forked"
    origin_thread: str
    until: int
    """The number of the last entry there that belongs to the past of this thread."""
    origin: str = ""
    """The run there that this run continues. Empty: the conversation was forked between two runs."""
    turn: int = 0
    """The turn of that run that this one takes again."""
    task: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that this run has in place of those of that run."""
    process: str = ""
    """Empty: nobody works on the run until it is resumed."""
    rehearsed: bool = False


@dataclass(frozen=True)
class PhaseChanged(Event):
    """From here on, the run is in this phase."""

    kind = "phase_changed"
    phase: str
    reason: str = ""
    by: PhaseChanger = "model"
    before: str = ""
    """The phase until here. Empty: the run begins."""
    lane: str = ""
    role: str = ""
    call: str = ""
    """The tool call that changed it."""


@dataclass(frozen=True)
class CancelRequested(Event):
    """Somebody asked to cancel the run. The process that works on it notices this and stops."""

    kind = "cancel_requested"
    by: str
    """USER@MACHINE."""


@dataclass(frozen=True)
class RunRated(Event):
    """The user said whether the answer of the run was good. The newest rating counts."""

    kind = "run_rated"
    good: bool
    note: str = ""


@dataclass(frozen=True)
class BatchStarted(Event):
    """A batch has begun. Its tasks are in a thread of its own."""

    kind = "batch_started"
    out: str
    """The file of its results."""


@dataclass(frozen=True)
class BatchWritten(Event):
    """The first result of a batch is in its file. If the file is empty later, somebody has emptied it."""

    kind = "batch_written"


@dataclass(frozen=True)
class BatchTask(Event):
    """A line of a batch gets a run. It stands in the batch's thread, before the run begins."""

    kind = "batch_task"
    run: str
    line: int
    digest: str
    """Of the line's text. A line with another text is another task."""
