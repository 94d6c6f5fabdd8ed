"""`mmos threads`: lists, shows, renames, forks, shortens, exports and deletes conversations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from mmos.cli.delete import Selection, delete_options, delete_selected
from mmos.cli.finding import thread_id
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json, when, write_unchanged
from mmos.cli.styles import style
from mmos.cli.tables import table
from mmos.cli.text import harmless
from mmos.cli.threads_compact import compact


@click.group()
def threads() -> None:
    """List, show, rename, fork, compact, export and delete conversations.

    THREAD is a thread's name, its id, or a unique part of the id.

    \b
    mmos threads list
    mmos threads show notes
    """


threads.add_command(compact)


@threads.command("list")
@shared_options
def list_threads(options: Options) -> None:
    """List conversations, the last used at the end.

    \b
    mmos threads list
    mmos threads list --json
    """
    rows = run_to_end(lambda: _rows(options))
    if options.json:
        print_json({"version": 1, "threads": rows})
        return
    if not rows:
        click.echo("No conversations yet. Start one: mmos run --thread NAME TASK", err=True)
        return
    table(
        ("THREAD", "NAME", "RUNS", "LAST", "FIRST TASK"),
        ((row["thread"], row["name"], str(row["runs"]), when(row["last"]), row["first"]) for row in rows),
    )


async def _rows(options: Options) -> list[dict[str, Any]]:
    from mmos.views.listing import THREAD_KINDS, threads

    async with options.journal() as journal:
        found = threads(await journal.read(kinds=THREAD_KINDS))
    return [{"thread": row.thread, "name": row.name, "runs": row.runs, "first": row.first, "last": row.last} for row in found]


@threads.command()
@click.argument("thread")
@click.option(
    "--at",
    "after",
    type=click.IntRange(min=1),
    metavar="N",
    help="The newest task that the new conversation remembers, counted from 1. Default: all.",
)
@click.option("--name", default="", metavar="NAME", help="A name for the new conversation.")
@shared_options
def fork(options: Options, thread: str, *, after: int | None, name: str) -> None:
    """Begin a conversation that has the past of THREAD, up to one of its tasks. THREAD stays as it is.

    \b
    mmos threads fork notes
    mmos threads fork notes --at 2 --name other
    """
    new = run_to_end(lambda: _fork(options, thread, after, name))
    if options.json:
        print_json({"version": 1, "thread": new, "name": name})
        return
    click.echo(new)


async def _fork(options: Options, thread: str, after: int | None, name: str) -> str:
    from mmos.app.records import Records

    async with options.journal(read_only=False) as journal:
        return await Records(journal).fork_thread(thread, after=after, name=name)


@threads.command()
@click.argument("thread")
@shared_options
def show(options: Options, thread: str) -> None:
    """Show the tasks and answers of a conversation.

    \b
    mmos threads show notes
    """
    from mmos.cli.reused import in_words
    from mmos.prompting.reuse import Reuse
    from mmos.views.transcript import with_files

    conversation = run_to_end(lambda: _conversation(options, thread))
    if options.json:
        print_json({"version": 1, **conversation})
        return
    for task in conversation["exchanges"]:
        status = task["status"] + (", taken back" if task["withdrawn"] else "")
        click.echo(style(f"── {when(task['time'])} · {status}", "dim"))
        click.echo(style("you: ", "bold") + harmless(with_files(task["task"], task["files"])))
        click.echo(style("mmos: ", "bold") + harmless(task["answer"] or "(no answer)") + "\n")
    if reused := in_words(Reuse(**{name: value for name, value in use.items() if name != "share"}) for use in conversation["prefixes"]):
        click.echo(style(reused, "dim"))


@threads.command()
@click.argument("thread")
@click.option("--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@shared_options
def export(options: Options, thread: str, form: str) -> None:
    """Write a conversation to stdout, as Markdown, or as JSON lines with every event, which `mmos runs import` reads.

    \b
    mmos threads export notes > notes.md
    mmos threads export notes --format json > notes.jsonl
    """
    run_to_end(lambda: _export(options, thread, form))


async def _export(options: Options, thread: str, form: str) -> None:
    from mmos.cli.runs_export import write_thread
    from mmos.views.transcript import with_files

    if form == "json" or options.json:
        await write_thread(options, thread)
        return
    conversation = await _conversation(options, thread)
    write_unchanged(f"# {conversation['name'] or conversation['thread']}\n")
    for task in conversation["exchanges"]:
        text = with_files(task["task"], task["files"])
        write_unchanged(f"\n## {when(task['time'])}\n\n{text}\n\n---\n\n{task['answer'] or '(no answer)'}\n")


async def _conversation(options: Options, thread: str) -> dict[str, Any]:
    from mmos.prompting.reuse import reuse_of
    from mmos.views.listing import THREAD_KINDS, threads
    from mmos.views.transcript import TRANSCRIPT_KINDS, transcript

    async with options.journal() as journal:
        name = await thread_id(journal, thread)
        tasks = transcript(await journal.read(thread=name, kinds=TRANSCRIPT_KINDS))
        rows = threads(await journal.read(thread=name, kinds=THREAD_KINDS))
        prefixes = [use.document() for use in reuse_of(await journal.read(thread=name))]
    name_given = rows[0].name if rows else ""
    return {"thread": name, "name": name_given, "exchanges": [asdict(task) for task in tasks], "prefixes": prefixes}


@threads.command()
@click.argument("thread")
@click.argument("name")
@shared_options
def rename(options: Options, thread: str, name: str) -> None:
    """Rename a conversation to NAME.

    \b
    mmos threads rename 9F3K notes
    """
    run_to_end(lambda: _rename(options, thread, name))


async def _rename(options: Options, thread: str, name: str) -> None:
    from mmos.errors import UsageError
    from mmos.events import Entry, Event, ThreadNamed
    from mmos.views.listing import THREAD_KINDS, check_name, find_thread, thread_named

    check_name(name)

    def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
        found = find_thread(entries, thread)
        taken = thread_named(entries, name)
        if taken not in (None, found):
            raise UsageError(f"Another thread is named {name!r}.", next_step="Choose another name, or rename that one first.")
        return [("", found, ThreadNamed(name))]

    async with options.journal(read_only=False) as journal:
        entries = await journal.decide(THREAD_KINDS, choose)
    if options.json:
        print_json({"version": 1, "thread": entries[0].thread, "name": name})
    else:
        click.echo(f"{entries[0].thread} is now named {name}.", err=True)


@threads.command()
@click.argument("thread", nargs=-1)
@delete_options
@shared_options
def delete(options: Options, thread: tuple[str, ...], **how: Any) -> None:
    """Delete conversations for good, with all their runs and their entries in the chat's input history.

    MMOS never deletes a conversation in which a run is still at work.

    \b
    mmos threads delete notes
    mmos threads delete --older-than 4w
    mmos threads delete --all --yes
    """
    run_to_end(lambda: delete_selected(options, "thread", Selection(thread, **how)))
