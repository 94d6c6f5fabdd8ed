"""Lists the tasks and answers of a thread as the user saw them, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmos.events import Entry, RunFinished, RunResumed, RunStarted, RunWithdrawn

TRANSCRIPT_KINDS = ("run_started", "run_resumed", "run_finished", "run_withdrawn")


@dataclass
class TaskRow:
    """One task of the user and its answer."""

    run: str
    time: float
    task: str
    status: str = "unfinished"
    answer: str | None = None
    withdrawn: bool = False
    """Whether the user withdrew it to ask again. Then it no longer counts in the history."""
    files: tuple[str, ...] = ()
    """The names of attached files."""
    role: str = ""
    """The role that answered without the arbiter; empty for the arbiter."""

    @property
    def typed(self) -> str:
        """The line of chat that would ask the same."""
        return f"@{self.role} {self.task}" if self.role else self.task


def with_files(task: str, files: Sequence[str]) -> str:
    """A task for display, with the names of its files."""
    return f"{task} (with {', '.join(files)})" if files else task


def transcript(entries: Iterable[Entry]) -> list[TaskRow]:
    """Every task of one thread, in order."""
    rows: dict[str, TaskRow] = {}
    for entry in entries:
        match entry.event:
            case RunStarted(task=task, files=files, options=options):
                rows[entry.run] = TaskRow(entry.run, entry.time, task, files=files, role=str(options.get("role_only") or ""))
            case RunResumed() if entry.run in rows:
                rows[entry.run].status = "unfinished"
            case RunFinished(status=status, answer=answer) if entry.run in rows:
                rows[entry.run].status, rows[entry.run].answer = status, answer
            case RunWithdrawn() if entry.run in rows:
                rows[entry.run].withdrawn = True
    return list(rows.values())
