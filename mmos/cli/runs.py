"""`mmos runs`: shows and deletes runs. The other commands have modules of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from mmos.cli.delete import Selection, delete_options, delete_selected
from mmos.cli.finding import run_id
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_long, print_json, when
from mmos.cli.run import at_home
from mmos.cli.runs_cancel import cancel
from mmos.cli.runs_compact import compact
from mmos.cli.runs_diff import diff
from mmos.cli.runs_export import export
from mmos.cli.runs_fork import fork
from mmos.cli.runs_import import import_runs
from mmos.cli.runs_list import list_runs
from mmos.cli.runs_rate import rate
from mmos.cli.runs_replay import replay
from mmos.cli.runs_resume import answer, resume
from mmos.cli.runs_search import search
from mmos.cli.runs_steer import steer
from mmos.cli.text import harmless


@click.group()
def runs() -> None:
    """List, search, show, resume, fork, cancel, replay, compare, rate, move and delete runs, and answer their questions.

    RUN is a run's id, or a unique part of its beginning or end.

    \b
    mmos runs list
    mmos runs show 9F3K
    mmos runs resume 9F3K
    """


runs.add_command(list_runs)
runs.add_command(resume)
runs.add_command(answer)
runs.add_command(replay)
runs.add_command(diff)
runs.add_command(cancel)
runs.add_command(rate)
runs.add_command(steer)
runs.add_command(search)
runs.add_command(export)
runs.add_command(import_runs)
runs.add_command(compact)
runs.add_command(fork)


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
    from mmos.replay.state import around

    async with options.journal() as journal:
        name = await run_id(journal, run)
        found = requests(await around(journal, name), name)
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
    from mmos.cli.reused import in_words
    from mmos.cli.trace import lines
    from mmos.cli.verdicts import lines as verdict
    from mmos.events import ModelReplied
    from mmos.prompting.reuse import reuse_of
    from mmos.views.document import document
    from mmos.views.listing import at_work
    from mmos.views.run import RunView

    async with options.journal() as journal:
        name = await run_id(journal, run)
        entries = await journal.read(run=name)
        view = RunView.of(entries)
        reuses = reuse_of(await journal.read(thread=view.thread), name)
        if view.reason:
            view.reason = replace(view.reason, next=at_home(options, view.reason.next))
        status = view.status or ("running" if at_work(view, journal.alive) else "interrupted")
    if options.json:
        replies = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
        print_json(
            {**document(view), "status": status, "placements": list(map(as_json, replies)), "prefixes": [use.document() for use in reuses]}
        )
        return
    marked = " · rehearsed" if view.rehearsed else ""
    marked += f" · rated {'good' if view.rating.good else 'bad'}" if view.rating else ""
    click.echo(f"run {name} · {status} · {when(view.started)} · {how_long(view.ended - view.started)}{marked}")
    for line in lines(entries):
        click.echo(line)
    if reused := in_words(reuses):
        click.echo(reused)
    if view.answer:
        click.echo(f"\n{harmless(view.answer)}")
    for number, line in enumerate(verdict(view.validation)):
        click.echo(harmless(line) if number else f"\n{harmless(line)}")
    if view.reason:
        click.echo(f"\n{view.reason.code}: {view.reason.message} {view.reason.next}".rstrip())


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
