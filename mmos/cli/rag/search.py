"""`mmos rag search`: finds passages in a collection."""

from __future__ import annotations

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.rag.opening import collection_of, collection_option, library_of


@click.command()
@click.argument("text")
@collection_option
@click.option("--top-k", "-k", type=click.IntRange(min=1), default=5, show_default=True, metavar="N", help="The most passages.")
@shared_options
def search(options: Options, text: str, collection: str, top_k: int) -> None:
    """Find passages that fit a question.

    \b
    mmos rag search "How long may a host take?" -C notes
    """
    from mmos.library.passages import Query

    library, name = library_of(options), collection_of(options, collection)
    found = run_to_end(lambda: library.search(name, Query(text, top_k)))
    if options.json:
        rows = [{"source": one.source, "start": one.start, "end": one.end, "text": one.text, "score": one.score} for one in found]
        print_json({"version": 1, "collection": name, "results": rows})
        return
    for one in found:
        click.echo(f"{one.source}:{one.start}-{one.end}  {one.score:.2f}\n{one.text}\n")
