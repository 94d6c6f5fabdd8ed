"""`mmos rag add`: adds documents to a collection."""

from __future__ import annotations

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.rag.opening import collection_of, collection_option, library_of
from mmos.plurals import counted


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@collection_option
@shared_options
def add(options: Options, paths: tuple[str, ...], collection: str) -> None:
    """Add files and folders to a collection. Only what has changed is read again.

    \b
    mmos rag add docs notes.md -C notes
    """
    from mmos.library.finding import find

    library, name = library_of(options), collection_of(options, collection)
    added = run_to_end(lambda: library.add(name, find(paths)))
    if options.json:
        print_json({"version": 1, "collection": name, "sources": added.sources, "pieces": added.pieces, "unchanged": added.unchanged})
    else:
        click.echo(f"{name}: {counted(added.sources, 'source')} added, {counted(added.unchanged, 'source')} unchanged.")
