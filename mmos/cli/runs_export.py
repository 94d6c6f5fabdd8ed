"""`mmos runs export`: writes the events of runs as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from mmos.cli.finding import thread_id
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import write_json

if TYPE_CHECKING:
    from mmos.events import Entry
    from mmos.journal import Journal


@click.command()
@click.argument("run", nargs=-1)
@click.option("--thread", metavar="T", help="Export this conversation: its name and all its runs.")
@click.option("--all", "everything", is_flag=True, help="Export every run in the journal, and the names of the conversations.")
@click.option(
    "--trace", is_flag=True, help="Export only the calls to models, with times, causes and sizes but no text, for `mmos simulate`."
)
@shared_options
def export(options: Options, run: tuple[str, ...], thread: str | None, everything: bool, trace: bool) -> None:
    """Write every event of the runs to stdout, one JSON object per line. `mmos runs import` reads them.

    \b
    mmos runs export 9F3K > run.jsonl
    mmos runs export --thread notes > notes.jsonl
    mmos runs export --all --trace > workload.jsonl
    """
    if [bool(run), thread is not None, everything].count(True) != 1:
        raise click.UsageError("Name a run, or several, or give --thread or --all.")
    if thread is not None and not trace:
        run_to_end(lambda: write_thread(options, thread))
    elif trace:
        run_to_end(lambda: _write_trace(options, run, thread))
    else:
        run_to_end(lambda: _write_runs(options, run))


async def write_thread(options: Options, thread: str) -> None:
    from mmos.journal.exported import shared_past

    async with options.journal() as journal:
        name = await thread_id(journal, thread)
        entries = await journal.read(thread=name)
        copies = {entry.seq: entry for entry in shared_past(entries)}
        _write(copies.get(entry.seq, entry) for entry in entries)


async def _write_runs(options: Options, selection: tuple[str, ...]) -> None:
    async with options.journal() as journal:
        if not selection:
            await _write_conversations(journal)
        for name in await _names(journal, selection):
            _write(await journal.read(run=name))


async def _write_conversations(journal: Journal) -> None:
    """The names of the conversations, and what forked ones have of others: no run of theirs has that."""
    from mmos.journal.exported import shared_past
    from mmos.views.listing import THREAD_KINDS, threads

    _write(await journal.read(kinds=("thread_named",)))
    for row in threads(await journal.read(kinds=THREAD_KINDS)):
        if row.origin:
            _write(shared_past(await journal.read(thread=row.thread)))


async def _write_trace(options: Options, selection: tuple[str, ...], thread: str | None) -> None:
    from mmos.simulation.recording import record

    async with options.journal() as journal:
        named = None if thread is None else await thread_id(journal, thread)
        runs = [await journal.read(run=name) for name in await _names(journal, selection, named)]
    for call in record(runs):
        write_json(call.to_json_line())


async def _names(journal: Journal, selection: tuple[str, ...], thread: str | None = None) -> list[str]:
    from mmos.views.listing import RUN_KINDS, find_run, runs

    entries = await journal.read(thread=thread, kinds=RUN_KINDS)
    return list(dict.fromkeys(find_run(entries, name) for name in selection)) or [
        row.run for row in runs(entries, journal.alive, time.time())
    ]


def _write(entries: Iterable[Entry]) -> None:
    from mmos.journal.exported import as_json_lines

    for line in as_json_lines(entries):
        write_json(line)
