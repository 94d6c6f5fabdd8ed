"""Defines the options that give a task passages of the library."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mmos.cli.options import options_of

rag_options = options_of(
    click.option("--rag", is_flag=True, default=None, help="Give the models passages of your documents that fit the task. `mmos rag add` adds documents."),
    click.option("--rag-collection", default="", metavar="C", help="The collection of documents. Default: rag.collection of the configuration. It includes --rag."),
    click.option("--rag-top-k", type=click.IntRange(min=1), metavar="N", help="The most passages. Default: rag.top_k of the configuration, or 5. It includes --rag."),
)  # fmt: skip

rag_sides = options_of(
    click.option("--rag", is_flag=True, help="Let each side answer twice: without and with passages of your documents."),
    click.option("--rag-collection", default="", metavar="C", help="The collection of documents. It includes --rag."),
)


def sides_with_library(sides: Sequence[str], *, rag: bool, collection: str) -> tuple[str, ...]:
    """The sides, each without and with passages, if the options want that."""
    if not (rag or collection):
        return tuple(sides)
    from mmos.app.entrants import with_library

    return tuple(with_library(sides, collection))
