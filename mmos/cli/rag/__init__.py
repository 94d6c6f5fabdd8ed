"""`mmos rag`: keeps your documents, and finds passages in them."""

from __future__ import annotations

import click

from mmos.cli.hints import HintingGroup
from mmos.cli.rag.add import add
from mmos.cli.rag.delete import delete
from mmos.cli.rag.evaluate import evaluate
from mmos.cli.rag.list import list_all
from mmos.cli.rag.reembed import reembed
from mmos.cli.rag.search import search
from mmos.cli.rag.show import show


@click.group(cls=HintingGroup)
def rag() -> None:
    """Keep your documents in collections, and find passages in them. Everything stays on this machine.

    \b
    mmos rag add docs notes.md -C notes
    mmos rag search "How long may a host take?" -C notes
    mmos run --rag-collection notes "How long may a host take?"
    """


for command in (add, search, list_all, show, delete, reembed, evaluate):
    rag.add_command(command)
