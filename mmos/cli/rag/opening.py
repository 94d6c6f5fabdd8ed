"""Opens the library that the options of a command name. No host is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options

if TYPE_CHECKING:
    from mmos.library.library import Library

collection_option = click.option(
    "-C", "--collection", default="", metavar="C", help="The collection. Default: rag.collection of the configuration."
)
USUAL = "documents"
"""The collection, if nobody names one."""


def library_of(options: Options) -> Library:
    from mmos.library.library import Library

    config = options.source()
    rag = config.orchestration.rag
    return Library(rag.store or options.state_folder(config.path) / "library")


def collection_of(options: Options, named: str) -> str:
    return named or options.source().orchestration.rag.collection or USUAL
