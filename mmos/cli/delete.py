"""Deletes runs and threads: selects them, asks for confirmation, and reports how much space was freed."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import click

from mmos.cli.options import options_of
from mmos.cli.output import how_much, one_line, print_json, when
from mmos.cli.questions import confirm
from mmos.cli.tables import table
from mmos.config.scalars import duration

if TYPE_CHECKING:
    from mmos.cli.options import Options
    from mmos.journal import Journal
    from mmos.views.listing import ThreadRow

Kind = Literal["run", "thread"]

SHOWN = 10
"""The question before a deletion lists at most this many runs or threads."""


class Age(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A duration such as `30d`, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = duration(value, "smhdw")
        if seconds is None:
            self.fail(f"{value!r} is not a duration. Write numbers with units, like 30d, 2w, 12h or 1h30m.", param, ctx)
        return seconds


@dataclass(frozen=True)
class Selection:
    """What to delete, and how."""

    named: tuple[str, ...]
    everything: bool
    older_than: float | None
    dry_run: bool
    yes: bool

    def __post_init__(self) -> None:
        if bool(self.named) == (self.everything or self.older_than is not None):
            raise click.UsageError("Name what to delete, or give --older-than AGE or --all.")


delete_options = options_of(
    click.option("--older-than", type=Age(), metavar="AGE", help="Delete what was last used longer ago than AGE, like 30d, 2w or 12h."),
    click.option("--all", "everything", is_flag=True, help="Delete everything that is not still at work."),
    click.option("--dry-run", is_flag=True, help="Show what would be deleted, but delete nothing."),
    click.option("--yes", is_flag=True, help="Delete without asking."),
)
"""The options of both commands."""


@dataclass(frozen=True)
class Piece:
    """A run or a thread that may be deleted."""

    id: str
    last: float
    title: str
    busy: bool
    names: tuple[str, ...]
    """The id of its thread, and the thread's name."""
    tasks: tuple[str, ...]
    origin: str = ""
    """The run or the thread that it was forked from. It has no past without that one."""


async def delete_selected(options: Options, kind: Kind, selection: Selection) -> None:

    async def load(journal: Journal) -> list[Piece]:
        return Forks(await (_runs if kind == "run" else _threads)(journal)).at_work()

    async with options.journal() as journal:
        pieces = await _select(journal, kind, await load(journal), selection)
    idle = [piece for piece in pieces if not piece.busy]
    if selection.dry_run or not idle:
        _report(options, kind, selection, pieces, Deletion())
        return
    confirm(f"Delete {_counted(len(idle), kind)}{_forks(selection, pieces)} for good:\n{_listed(idle)}\n?", yes=selection.yes)
    async with options.journal(read_only=False, to_delete=True) as journal:
        # Another process may have deleted or resumed one in the meantime.
        now = {piece.id: piece for piece in await load(journal)}
        pieces = Forks(list(now.values())).family(now[piece.id] for piece in pieces if piece.id in now)
        deletion = await _delete(options, journal, kind, [piece for piece in pieces if not piece.busy])
    _report(options, kind, selection, pieces, deletion)


@dataclass(frozen=True)
class Deletion:
    entries: int = 0
    freed: int = 0
    forgotten: int = 0
    """Deleted entries of the input history."""
    bereft: int = 0
    """Forked conversations that stay, and no longer remember a deleted run."""
    answers: int = 0
    """Deleted answers of the cache."""


async def _delete(options: Options, journal: Journal, kind: Kind, pieces: Sequence[Piece]) -> Deletion:
    """Delete the input history first: after an interruption, the runs are still there and can be deleted again."""
    from mmos.app import archive
    from mmos.cache.shelf import forget_runs
    from mmos.cli.chat.desktop import FILE as COPIED
    from mmos.cli.history import FILE, HistoryEntry, forget, is_task_of
    from mmos.journal.faults import told

    threads = {name for piece in pieces for name in piece.names} if kind == "thread" else set()
    tasks = [task for piece in pieces for task in piece.tasks]

    def is_of_these(entry: HistoryEntry) -> bool:
        return entry.thread in threads or is_task_of(entry, tasks)

    folder, before = options.found_state(), journal.size
    with told(folder / FILE):
        forgotten = forget(folder, is_of_these)
        (folder / COPIED).unlink(missing_ok=True)  # replaces a clipboard, and may hold texts of any run
    archive.forget(folder)
    names = [piece.id for piece in pieces]
    answers = forget_runs(folder, names if kind == "run" else await _runs_of(journal, names))
    bereft = await _remembering(journal, {*names}) if kind == "run" else 0
    entries = await (journal.delete_all(runs=names) if kind == "run" else journal.delete_all(threads=names))
    archive.forget(folder)  # another process may have read them in between
    return Deletion(entries, max(0, before - journal.size), forgotten, bereft, answers)


async def _runs_of(journal: Journal, threads: Collection[str]) -> list[str]:
    from mmos.views.listing import STARTS

    return [entry.run for entry in await journal.read(kinds=STARTS) if entry.thread in threads]


async def _remembering(journal: Journal, runs: set[str]) -> int:
    """How many forked conversations share one of these runs with the conversation that it belongs to. Those that begin with a fork of it go with it."""
    from mmos.views.listing import STARTS, THREAD_KINDS, threads

    entries = await journal.read(kinds=THREAD_KINDS)
    home = {entry.run: entry.thread for entry in entries if entry.run in runs}
    going = {thread for thread in home.values() if all(entry.run in runs for entry in entries if entry.thread == thread)}
    forked = [row.thread for row in threads(entries) if row.origin and row.thread not in going]
    shared = [{entry.run for entry in await journal.read(thread=thread, kinds=STARTS)} for thread in forked]
    return sum(any(home.get(run, thread) != thread for run in found) for thread, found in zip(forked, shared, strict=True))


# ---------------------------------------------------------------- which


async def _runs(journal: Journal) -> list[Piece]:
    from mmos.views.listing import RUN_KINDS, THREAD_KINDS, runs, threads

    names = {row.thread: row.name for row in threads(await journal.read(kinds=THREAD_KINDS))}
    return [
        Piece(
            row.run,
            row.ended,
            row.task,
            row.status == "running",
            (row.thread, names.get(row.thread) or row.thread),
            (row.task,),
            row.origin,
        )
        for row in runs(await journal.read(kinds=RUN_KINDS), journal.alive, time.time())
    ]


async def _threads(journal: Journal) -> list[Piece]:
    from mmos.views.listing import THREAD_KINDS, threads

    runs: dict[str, list[Piece]] = {}
    for run in await _runs(journal):
        runs.setdefault(run.names[0], []).append(run)
    return [_thread(row, runs.get(row.thread, [])) for row in threads(await journal.read(kinds=THREAD_KINDS))]


def _thread(row: ThreadRow, runs: Sequence[Piece]) -> Piece:
    last = max([row.last, *(run.last for run in runs)])
    names, tasks = (row.thread, row.name or row.thread), tuple(run.title for run in runs)
    return Piece(row.thread, last, row.name or row.first, any(run.busy for run in runs), names, tasks, row.origin)


async def _select(journal: Journal, kind: Kind, known: Sequence[Piece], selection: Selection) -> list[Piece]:
    from mmos.errors import UsageError
    from mmos.views.listing import THREAD_KINDS, find_run, find_thread

    if not selection.named:
        now = time.time()
        newest, forks = math.inf if selection.older_than is None else now - selection.older_than, Forks(known)
        return [piece for piece in known if max(one.last for one in forks.family([piece])) < newest]
    entries = await journal.read(kinds=THREAD_KINDS)
    find = find_run if kind == "run" else find_thread
    named = {find(entries, name) for name in selection.named}
    pieces = Forks(known).family(piece for piece in known if piece.id in named)
    if busy := [piece.id for piece in pieces if piece.busy]:
        what = "Still at work" if kind == "run" else "A run is still at work in"
        raise UsageError(f"{what}: {', '.join(busy)}.", next_step="Stop it first, or wait until it ends.")
    return pieces


@dataclass(frozen=True)
class Forks:
    """What was forked from what. A fork shares the past of its origin, so it is deleted with it."""

    known: Sequence[Piece]

    @cached_property
    def _of(self) -> Mapping[str, list[Piece]]:
        found: dict[str, list[Piece]] = {}
        for piece in self.known:
            found.setdefault(piece.origin, []).append(piece)
        return found

    def family(self, pieces: Iterable[Piece]) -> list[Piece]:
        """These pieces, their forks, the forks of these, and so on."""
        found = {piece.id: piece for piece in pieces}
        rest = list(found)
        while rest:
            for piece in self._of.get(rest.pop(), ()):
                if piece.id not in found:
                    found[piece.id] = piece
                    rest.append(piece.id)
        return list(found.values())

    def at_work(self) -> list[Piece]:
        """All pieces. One whose fork is at work is at work, too."""
        return [replace(piece, busy=any(one.busy for one in self.family([piece]))) for piece in self.known]


# ---------------------------------------------------------------- what is said of it


def _report(options: Options, kind: Kind, selection: Selection, pieces: Sequence[Piece], deletion: Deletion) -> None:
    idle = [piece for piece in pieces if not piece.busy]
    busy = [piece.id for piece in pieces if piece.busy]
    if options.json:
        names = {"would_delete" if selection.dry_run else "deleted": [piece.id for piece in idle], "skipped": busy}
        print_json({
            "version": 1, **names, "entries": deletion.entries, "freed_bytes": deletion.freed, "input_history": deletion.forgotten,
            "forked_conversations": deletion.bereft, "kept_answers": deletion.answers,
        })  # fmt: skip
        return
    for name in busy:
        click.echo(f"Skipped, because it is still at work: {name}", err=True)
    if not idle:
        click.echo(f"There is no {kind} to delete.", err=True)
    elif selection.dry_run:
        table(
            (kind.upper(), "LAST USED", "TASK" if kind == "run" else "NAME"), ((piece.id, when(piece.last), piece.title) for piece in idle)
        )
        click.echo(f"Would delete {_counted(len(idle), kind)}.", err=True)
    else:
        history = f" {_counted(deletion.forgotten, 'line')} of the chat's input history were deleted, too." if deletion.forgotten else ""
        if deletion.answers:
            history += f" {_counted(deletion.answers, 'answer')} of the cache were deleted, too."
        if deletion.bereft:
            remembers = "remembers" if deletion.bereft == 1 else "remember"
            history += f" {_counted(deletion.bereft, 'forked conversation')} no longer {remembers} {'it' if len(idle) == 1 else 'them'}."
        forks = sum(bool(piece.origin) for piece in idle) if len(idle) > 1 else 0
        which = f", {forks} of them {'a fork' if forks == 1 else 'forks'}" if forks else ""
        click.echo(
            f"Deleted {_counted(len(idle), kind)}{which} ({_counted(deletion.entries, 'entry')}), freed {how_much(deletion.freed)}.{history}",
            err=True,
        )


def _forks(selection: Selection, pieces: Sequence[Piece]) -> str:
    forks = sum(bool(piece.origin) for piece in pieces) if selection.named else 0
    return " (with what was forked from them)" if forks and len(pieces) > len(selection.named) else ""


def _listed(pieces: Sequence[Piece]) -> str:
    lines = [f"  {piece.id}  {when(piece.last)}  {one_line(piece.title, 60)}" for piece in pieces[:SHOWN]]
    more = len(pieces) - SHOWN
    return "\n".join([*lines, *([f"  … and {more:,} more"] if more > 0 else [])])


def _counted(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
