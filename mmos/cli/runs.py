"""`mmos runs`: lists, shows, resumes, exports and deletes runs, and answers their questions."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.delete import Selection, delete_options, delete_selected
from mmos.cli.options import Options, limits, run_to_end, shared_options
from mmos.cli.output import how_long, print_json, when, write_json
from mmos.cli.tables import table
from mmos.cli.text import harmless

if TYPE_CHECKING:
    from mmos.views.run import RunView


@click.group()
def runs() -> None:
    """List, show, resume, export and delete runs, and answer their questions.

    RUN is a run's id, or a unique part of its beginning or end.

    \b
    mmos runs list
    mmos runs show 9F3K
    mmos runs resume 9F3K
    """


@runs.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Show only the newest N runs.")
@shared_options
def list_runs(options: Options, limit: int) -> None:
    """List runs, the newest last.

    \b
    mmos runs list
    mmos runs list --limit 5 --json
    """
    rows = run_to_end(lambda: _rows(options))[-limit:]
    if options.json:
        print_json({"version": 1, "runs": rows})
        return
    if not rows:
        click.echo('No runs yet. Try: mmos run --rehearse "Explain what a mutex is"', err=True)
        return
    shown = (
        (
            row["run"],
            f"{row['status']}{', rehearsed' if row['rehearsed'] else ''}",
            when(row["started"]),
            how_long(row["seconds"]),
            row["task"],
        )
        for row in rows
    )
    table(("RUN", "STATUS", "STARTED", "TOOK", "TASK"), shown)


async def _rows(options: Options) -> list[dict[str, Any]]:
    from mmos.views.listing import RUN_KINDS, runs

    async with options.journal() as journal:
        found = runs(await journal.read(kinds=RUN_KINDS), journal.alive, time.time())
    return [
        {
            "run": row.run, "thread": row.thread, "status": row.status, "task": row.task, "files": list(row.files),
            "started": row.started, "seconds": round(max(0.0, row.ended - row.started), 3), "rehearsed": row.rehearsed,
        }
        for row in found
    ]  # fmt: skip


@runs.command()
@click.argument("run")
@click.option("--prompts", is_flag=True, help="Show every request to a model, exactly as it was sent.")
@shared_options
def show(options: Options, run: str, *, prompts: bool) -> None:
    """Show every event of RUN, why each call ran on its host, and how it ended.

    \b
    mmos runs show 9F3K
    mmos runs show 9F3K --json
    mmos runs show 9F3K --prompts
    """
    run_to_end(lambda: _show_prompts(options, run) if prompts else _show(options, run))


async def _show_prompts(options: Options, run: str) -> None:
    from mmos.cli.requests import as_text, requests
    from mmos.views.listing import find_run

    async with options.journal() as journal:
        starts = await journal.read(kinds=("run_started",))
        name = find_run(starts, run)
        thread = next(start.thread for start in starts if start.run == name)
        found = requests(await journal.read(thread=thread), name)
    if options.json:
        print_json({"version": 1, "run": name, "requests": found})
        return
    if not found:
        click.echo(f"Run {name} sent no request to a model.", err=True)
    for request in found:
        for line in as_text(request):
            click.echo(line)


async def _show(options: Options, run: str) -> None:
    from mmos.cli.placement import as_json
    from mmos.cli.trace import lines
    from mmos.events import ModelReplied
    from mmos.views.document import document
    from mmos.views.listing import find_run
    from mmos.views.run import RunView

    async with options.journal() as journal:
        name = find_run(await journal.read(kinds=("run_started",)), run)
        entries = await journal.read(run=name)
        view = RunView.of(entries)
        status = view.status or ("running" if journal.alive(view.process) else "interrupted")
    if options.json:
        replies = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
        print_json({**document(view), "status": status, "placements": list(map(as_json, replies))})
        return
    marked = " · rehearsed" if view.rehearsed else ""
    click.echo(f"run {name} · {status} · {when(view.started)} · {how_long(view.ended - view.started)}{marked}")
    for line in lines(entries):
        click.echo(line)
    if view.answer:
        click.echo(f"\n{harmless(view.answer)}")
    if view.reason:
        click.echo(f"\n{view.reason.code}: {view.reason.message} {view.reason.next}".rstrip())


_terms = limits(
    timeout="End the run after this time from now on, like 90 or 5m.",
    turns="Limit the turns of the arbiter.",
    calls="Limit the tool calls of the whole run.",
    questions="What to do when a model asks again. Default: as the run was started.",
)


@runs.command()
@click.argument("run")
@click.argument("text")
@click.option("--question", metavar="ID", help="The question to answer, if there are several.")
@_terms
@shared_options
def answer(options: Options, run: str, text: str, question: str | None, **terms: Any) -> int:
    """Answer the question of RUN with TEXT, and resume the run.

    \b
    mmos runs answer 9F3K "Call it heron."
    mmos runs answer 9F3K --question q2 yes
    """
    return run_to_end(lambda: _resume(options, run, terms, text, question))


@runs.command()
@click.argument("run")
@_terms
@shared_options
def resume(options: Options, run: str, **terms: Any) -> int:
    """Resume RUN after a crash, a failure or a question. Finished work is not repeated.

    \b
    mmos runs resume 9F3K
    mmos runs resume 9F3K --timeout 300
    """
    return run_to_end(lambda: _resume(options, run, terms))


async def _resume(options: Options, run: str, terms: dict[str, Any], text: str | None = None, question: str | None = None) -> int:
    from mmos.app import RunOptions
    from mmos.cli.app import app_of
    from mmos.cli.run import Show, run_and_print
    from mmos.views.listing import find_run
    from mmos.views.run import RunView

    options = replace(options, timeout=terms["timeout"])
    async with options.journal() as journal:
        name = find_run(await journal.read(kinds=("run_started",)), run)
        view = RunView.of(await journal.read(run=name))
    run_options = RunOptions.of_facts({**view.options, **{name: value for name, value in terms.items() if value is not None}})
    async with app_of(_as_it_was(options, view)) as app:
        if text is not None:
            await app.answer(name, text, question=question)
        return await run_and_print(options, app, run_options, Show(), name)


def _as_it_was(options: Options, view: RunView) -> Options:
    """Use the fleet and the configuration of the run, if the options name no others. Its journal is already found."""
    from mmos.config.sources import EMBEDDED
    from mmos.errors import NotFound

    options = replace(options, state=str(options.found_state()), rehearse=options.rehearse or view.rehearsed)
    if options.config or options.embedded:
        return options
    if view.config_path:
        if not Path(view.config_path).is_file():
            raise NotFound(
                f"The configuration of the run, {view.config_path}, is no longer there.", next_step="Name a configuration: -c FILE"
            )
        return replace(options, config=view.config_path, recalled=True)
    return replace(options, default=True, embedded=view.config == EMBEDDED.built_in.read_text("utf-8"))


@runs.command()
@click.argument("run", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Export every run in the journal.")
@click.option(
    "--trace", is_flag=True, help="Export only the calls to models, with times, causes and sizes but no text, for `mmos simulate`."
)
@shared_options
def export(options: Options, run: tuple[str, ...], everything: bool, trace: bool) -> None:
    """Write every event of the runs to stdout, one JSON object per line.

    \b
    mmos runs export 9F3K > run.jsonl
    mmos runs export --all --trace > workload.jsonl
    """
    if everything == bool(run):
        raise click.UsageError("Name a run, or several, or give --all.")
    run_to_end(lambda: _export(options, run, trace=trace))


async def _export(options: Options, selection: tuple[str, ...], *, trace: bool) -> None:
    from mmos.cli.trace import as_json_line
    from mmos.simulation.recording import record
    from mmos.views.listing import find_run

    async with options.journal() as journal:
        started = await journal.read(kinds=("run_started",))
        names = [find_run(started, name) for name in selection] or [entry.run for entry in started]
        runs = [await journal.read(run=name) for name in dict.fromkeys(names)]
    lines = (call.to_json_line() for call in record(runs)) if trace else (as_json_line(entry) for entries in runs for entry in entries)
    for line in lines:
        write_json(line)


@runs.command()
@click.argument("run", nargs=-1)
@delete_options
@shared_options
def delete(options: Options, run: tuple[str, ...], **how: Any) -> None:
    """Delete runs for good, with all their texts and their entries in the chat's input history.

    MMOS never deletes a run that is still at work.

    \b
    mmos runs delete 9F3K
    mmos runs delete 9F3K 2BQX --yes
    mmos runs delete --older-than 30d --dry-run
    mmos runs delete --all
    """
    run_to_end(lambda: delete_selected(options, "run", Selection(run, **how)))
