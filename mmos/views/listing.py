"""Lists the runs and threads of a journal, and finds them by id and name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mmos.errors import NotFound, UsageError
from mmos.events import Entry, Forked, RunFinished, RunRated, RunResumed, RunStarted, ThreadNamed
from mmos.views.run import RunView

STARTS = ("run_started", "forked")
RUN_KINDS = (*STARTS, "run_resumed", "run_finished", "run_rated")
LONGEST_NAME = 200
THREAD_KINDS = ("thread_named", *STARTS)


@dataclass
class RunRow:
    run: str
    thread: str
    task: str
    files: tuple[str, ...]
    started: float
    ended: float
    status: str
    process: str
    rehearsed: bool = False
    origin: str = ""
    """The run that it was forked from."""
    answer: str = ""
    rating: RunRated | None = None
    """The newest rating."""


@dataclass
class ThreadRow:
    thread: str
    name: str = ""
    runs: int = 0
    first: str = ""
    """The task that began it."""
    last: float = 0.0
    origin: str = ""
    """The thread that it was forked from."""


def at_work(run: RunView | RunRow, alive: Callable[[str], bool]) -> bool:
    """Whether a process works on a run. Nobody works on a fork until it is resumed."""
    return not run.status and alive(run.process)


def runs(entries: Iterable[Entry], alive: Callable[[str], bool], now: float) -> list[RunRow]:
    """Every run, oldest first. An unfinished run is `running` while its process runs, otherwise `interrupted`."""
    rows: dict[str, RunRow] = {}
    for entry in entries:
        match entry.event:
            case RunStarted(task=task, process=process, files=files, rehearsed=rehearsed):
                rows[entry.run] = RunRow(entry.run, entry.thread, task, files, entry.time, entry.time, "", process, rehearsed)
            case Forked(origin=origin, task=task, process=process, rehearsed=rehearsed, until=until) if origin:
                files = rows[origin].files if origin in rows else ()
                shared = origin if until else ""  # an imported fork has a past of its own
                rows[entry.run] = RunRow(entry.run, entry.thread, task, files, entry.time, entry.time, "", process, rehearsed, shared)
            case RunResumed(process=process) if row := rows.get(entry.run):  # a run that was deleted while at work has no start
                row.process, row.status = process, ""
            case RunFinished(status=status, answer=answer) if row := rows.get(entry.run):
                row.status, row.ended, row.answer = status, entry.time, answer or ""
            case RunRated() as rating if row := rows.get(entry.run):
                row.rating = rating
    for row in rows.values():
        if not row.status:
            row.status = "running" if at_work(row, alive) else "interrupted"
            row.ended = now if row.status == "running" else row.started
    return list(rows.values())


def threads(entries: Iterable[Entry]) -> list[ThreadRow]:
    """Every thread, the last used at the end."""
    rows: dict[str, ThreadRow] = {}
    counted: set[tuple[str, str]] = set()
    for entry in entries:
        row = rows.setdefault(entry.thread, ThreadRow(entry.thread))
        row.last = entry.time
        match entry.event:
            case ThreadNamed(name=name):
                row.name = name
            case Forked(origin_thread=origin, until=until) if until:
                row.origin = origin
        if isinstance(entry.event, RunStarted | Forked):
            row.runs += bool(entry.run) and (entry.thread, entry.run) not in counted
            row.first = row.first or entry.event.task
            counted.add((entry.thread, entry.run))
    return sorted(rows.values(), key=lambda row: row.last)


def find_run(entries: Iterable[Entry], text: str) -> str:
    """The run with this id, or the only run whose id begins or ends with this text."""
    known = [entry.run for entry in entries if isinstance(entry.event, RunStarted | Forked) and entry.run]
    return _only("run", text, known, "mmos runs list")


def find_thread(entries: Iterable[Entry], text: str) -> str:
    """The thread with this name or id, or the only thread whose id begins or ends with this text."""
    if not text:
        raise UsageError("The name of the conversation is empty.", next_step="See mmos threads list.")
    rows = threads(entries)
    matches = [row.thread for row in rows if row.name == text]
    return matches[-1] if matches else _only("thread", text, [row.thread for row in rows], "mmos threads list")


def check_name(name: str) -> None:
    """Raise for a name that a list cannot show in one line."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"A thread's name has 1 to {LONGEST_NAME} printable characters.", next_step="Choose another name.")


def thread_named(entries: Iterable[Entry], name: str) -> str | None:
    """The thread with exactly this name or id, or None."""
    rows = threads(entries)
    return next((row.thread for row in rows if name in (row.name, row.thread)), None)


def _only(kind: str, text: str, known: list[str], where: str) -> str:
    if text in known:
        return text
    matches = [name for name in known if text and (name.startswith(text.upper()) or name.endswith(text.upper()))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"{text!r} may mean {len(matches)} {kind}s: {', '.join(matches[:5])}.", next_step="Give more characters of the id."
        )
    raise NotFound(f"There is no {kind} {text!r}.", next_step=f"See {where}.")
