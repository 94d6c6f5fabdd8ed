"""Opens the library that the options of a command name, and checks the names of collections. No host is asked."""

from __future__ import annotations

from collections.abc import Sequence
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

    return Library(place_for(options))


def place_for(options: Options) -> str:
    """Where the collections are. A file that nobody named may not send documents to an address."""
    from mmos.config.library_place import place_of
    from mmos.errors import UsageError

    config = options.source()
    place = place_of(config, options.state_folder(config.path))
    if "://" in place and options.file().found and not options.trust:
        raise UsageError(
            f"{config.path}: this file was only found in the folder, and it keeps documents at an address (rag.store).",
            next_step=f"If that is right, name the file: -c {config.path}, or add --trust.",
        )
    return place


def collection_of(options: Options, named: str) -> str:
    """The collection that a command is about, whether it is there or not."""
    return checked(named) if named else options.source().orchestration.rag.collection or USUAL


def checked(name: str) -> str:
    """The name of a collection. It becomes the name of a file, so not every text is one."""
    import re

    from mmos.config.library_schema import ALLOWED, COLLECTION
    from mmos.config.wording import shown
    from mmos.errors import UsageError

    if not re.fullmatch(COLLECTION, name) or name.endswith("\n"):
        raise UsageError(f"'{shown(name)}' cannot be the name of a collection.", next_step=f"Give {ALLOWED}.")
    return name


def there(options: Options, library: Library, named: str) -> str:
    """The collection that a command reads. It must be there, and if nobody names one, one must be usual or the only one."""
    from mmos.config.wording import listed, perhaps
    from mmos.errors import NotFound, UsageError

    names, name = library.names(), collection_of(options, named)
    if name in names or not names:  # the names in an object store are not known here
        return name
    if named or options.source().orchestration.rag.collection:
        raise NotFound(f"There is no collection '{name}'{perhaps(name, names) or '.'}", next_step=f"Collections: {listed(names)}.")
    if len(names) > 1:
        raise UsageError("Several collections are there, and none is named.", next_step=f"Name one: -C {' or -C '.join(names[:20])}")
    return names[0]


def each_there(options: Options, library: Library, named: Sequence[str]) -> list[str]:
    """The collections that a command reads, each once."""
    return list(dict.fromkeys(there(options, library, one) for one in named or ("",)))
