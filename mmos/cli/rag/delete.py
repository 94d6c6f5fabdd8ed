"""`mmos rag delete`: deletes sources of a collection, or a whole collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.questions import confirm
from mmos.cli.rag.opening import collection_option, library_of, there
from mmos.cli.rag.sources import shortened, some_sources
from mmos.cli.text import flat
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.library.library import Library
    from mmos.library.store import Kept

SHOWN = 10
"""The question lists at most this many sources."""


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@collection_option
@click.option("--all", "everything", is_flag=True, help="Delete the whole collection.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, but delete nothing.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@shared_options
def delete(options: Options, sources: tuple[str, ...], collection: str, *, everything: bool, dry_run: bool, yes: bool) -> None:
    """Delete sources, or with --all the collection. Your files stay as they are.

    SOURCE is a name, the end of a path, a folder, or a pattern like '*.log'.

    \b
    mmos rag delete old.md -C notes
    mmos rag delete 'archive/*' -C notes --dry-run
    mmos rag delete --all -C notes
    """
    if bool(sources) == everything:
        raise click.UsageError("Name the sources to delete, or give --all.")
    if everything and not (collection or dry_run):
        raise click.UsageError("--all deletes a whole collection. Name it with -C.")
    run_to_end(lambda: _delete(options, sources, collection, dry_run=dry_run, yes=yes))


async def _delete(options: Options, words: Sequence[str], named: str, *, dry_run: bool, yes: bool) -> None:
    library = library_of(options)
    name = there(options, library, named)
    kept = await _kept(library, name, needed=bool(words) or dry_run)
    meant = some_sources(words, kept, name) if words else kept
    if not dry_run:
        what = counted(len(meant), "source")
        confirm(f"Delete {f'{what} of {name}' if words else f'the collection {name} with {what}'}:\n{_listed(meant)}\n?", yes=yes)
        await library.delete(name, [one.source for one in meant] if words else None)
    if options.json:
        done = "would_delete" if dry_run else "deleted"
        print_json({"version": 1, "collection": name, done: [one.source for one in meant], "whole": not words})
        return
    if dry_run:
        for one in meant:
            click.echo(flat(one.source))
    verb = "Would delete" if dry_run else "Deleted"
    click.echo(f"{verb} {counted(len(meant), 'source')} of {name}{'' if words else ', and the collection itself'}.", err=True)


async def _kept(library: Library, name: str, *, needed: bool) -> Sequence[Kept]:
    """The sources. Those of a damaged collection are not known, and it can be deleted all the same."""
    from mmos.errors import StateDamaged

    try:
        return await library.sources(name)
    except StateDamaged:
        if needed:
            raise
        click.echo(f"mmos: {name} is damaged. What is in it is not known.", err=True)
        return []


def _listed(meant: Sequence[Kept]) -> str:
    lines = [f"  {flat(shortened(one.source))}" for one in meant[:SHOWN]]
    more = len(meant) - SHOWN
    return "\n".join([*lines, *([f"  … and {more:,} more"] if more > 0 else [])])
