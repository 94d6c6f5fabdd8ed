"""`mmos rag`: keeps your documents, and finds passages in them."""

from __future__ import annotations

import click

from mmos.cli.hints import HintingGroup
from mmos.cli.rag.add import add
from mmos.cli.rag.search import search


@click.group(cls=HintingGroup)
def rag() -> None:
    """Keep your documents in collections, and find passages in them. Everything stays on this machine.

    \b
    mmos rag add docs notes.md -C notes
    mmos rag search "How long may a host take?" -C notes
    mmos run --rag-collection notes "How long may a host take?"
    """


rag.add_command(add)
rag.add_command(search)
