"""`mmos rag reembed`: makes the vectors of a collection anew."""

from __future__ import annotations

from dataclasses import asdict

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.rag.embedding import MINILM, NOT_REHEARSED, embed, library_with_hosts, told
from mmos.cli.rag.opening import collection_option, there


@click.command()
@click.argument("model", required=False)
@collection_option
@shared_options
def reembed(options: Options, model: str | None, collection: str) -> None:
    """Make the vectors of a collection anew, with MODEL or with the model that it has.

    MODEL is an embedding model of a host, or minilm: a small one that runs in this process. Searches find words meanwhile.

    \b
    mmos rag reembed nomic-embed-text -C notes
    mmos rag reembed minilm -C notes
    """
    if options.rehearse and model != MINILM:
        raise click.UsageError(NOT_REHEARSED)
    run_to_end(lambda: _reembed(options, model or "", collection))


async def _reembed(options: Options, model: str, named: str) -> None:
    async with library_with_hosts(options) as library:
        name = there(options, library, named)
        known = (await library.about(name)).embedding.get("model", "")
        found = await embed(library, name, model or known or options.source().orchestration.rag.embedding_model, anew=True)
    if options.json:
        print_json({"version": 1, "collection": name, **asdict(found)})
    else:
        click.echo(f"{name}: {told(found)}")
