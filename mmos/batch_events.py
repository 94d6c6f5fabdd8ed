"""Defines the events of batches: which run each line has."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.events import Event


@dataclass(frozen=True)
class BatchStarted(Event):
    """A batch has begun. Its tasks are in a thread of its own."""

    kind = "batch_started"
    out: str
    """The file of its results."""


@dataclass(frozen=True)
class BatchTask(Event):
    """A line of a batch gets a run. It stands in the batch's thread, before the run begins."""

    kind = "batch_task"
    run: str
    line: int
    digest: str
    """Of the line's text. A line with another text is another task."""
