"""`mmos rag list`: lists the collections, or the sources of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_much, print_json, when
from mmos.cli.rag.opening import collection_option, library_of, there
from mmos.cli.rag.sources import shortened
from mmos.cli.tables import table, terminal_width
from mmos.cli.text import flat
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.library.library import Library
    from mmos.library.store import Kept

EMPTY = "There is no collection yet. Add documents: mmos rag add PATH -C NAME"


@click.command(name="list")
@collection_option
@shared_options
def list_all(options: Options, collection: str) -> None:
    """List the collections, or with -C the sources of one.

    \b
    mmos rag list
    mmos rag list -C notes --json
    """
    run_to_end(lambda: _sources(options, collection) if collection else _collections(options))


async def _collections(options: Options) -> None:
    library = library_of(options)
    rows = [await _about(library, name) for name in library.names()]
    if options.json:
        print_json({"version": 1, "place": library.place, "collections": rows})
    elif not rows:
        click.echo(EMPTY, err=True)
    else:
        heads = ("COLLECTION", "SOURCES", "PIECES", "SIZE", "CHANGED", "VECTORS")
        table(heads, [_cells(row) for row in rows])
        for row in rows:
            if row["error"] is not None:
                click.echo(f"mmos: {row['collection']}: {flat(row['error']['message'])} {flat(row['error']['next'])}", err=True)


def _cells(row: Mapping[str, Any]) -> list[str]:
    if row["error"] is not None:
        return [row["collection"], "?", "?", "?", "?", "?"]
    vectors = (row["embedding"] or {}).get("model", "-")
    return [row["collection"], f"{row['sources']:,}", f"{row['pieces']:,}", how_much(row["bytes"]), when(row["changed"]), vectors]


async def _about(library: Library, name: str) -> dict[str, Any]:
    from mmos.errors import StateError

    try:
        about = await library.about(name)
    except StateError as error:  # one that is damaged hides no other
        fault = {"code": error.code, "message": error.message, "next": error.next_step}
        return {"collection": name, "sources": 0, "pieces": 0, "bytes": 0, "changed": 0.0, "embedding": None, "error": fault}
    return {
        "collection": name, "sources": about.sources, "pieces": about.pieces, "bytes": about.bytes, "changed": about.changed,
        "embedding": dict(about.embedding) or None, "error": None,
    }  # fmt: skip


async def _sources(options: Options, named: str) -> None:
    library = library_of(options)
    name = there(options, library, named)
    kept = await library.sources(name)
    if options.json:
        print_json({"version": 1, "collection": name, "sources": list(map(_document, kept))})
        return
    _show(kept)
    click.echo(f"{name}: {counted(len(kept), 'source')}, {counted(sum(one.pieces for one in kept), 'piece')}.", err=True)


def _show(kept: Sequence[Kept]) -> None:
    at_terminal = terminal_width() is not None
    rows = [
        (how_much(one.size), f"{one.pieces:,}", one.language, when(one.changed), shortened(one.source) if at_terminal else one.source)
        for one in kept
    ]
    table(("SIZE", "PIECES", "LANGUAGE", "CHANGED", "SOURCE"), rows, ("LANGUAGE", "CHANGED", "SIZE", "PIECES"))


def _document(one: Kept) -> dict[str, Any]:
    return {
        "source": one.source, "title": one.title, "language": one.language, "folder": one.root or None, "bytes": one.size,
        "pieces": one.pieces, "changed": one.changed, "added": one.added,
    }  # fmt: skip
