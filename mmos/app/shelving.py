"""The part of an app that has a library. What that needs is imported when there are documents."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mmos.config.library_place import FOLDER
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool

if TYPE_CHECKING:
    from mmos.app.library import Shelves
    from mmos.app.lifecycle import RunOptions
    from mmos.config.library_schema import PatternRag
    from mmos.config.load import Config
    from mmos.fleet.fleet import Fleet
    from mmos.journal import Journal
    from mmos.library.library import Library
    from mmos.patterns.plan import LookUp


PIECES = ".pieces.lance"
"""How the folder of a collection ends."""


class Shelving:
    """Has the documents of the user."""

    config: Config
    fleet: Fleet
    journal: Journal
    templates: Templates

    @cached_property
    def shelves(self) -> Shelves:
        from mmos.app.library import Shelves

        return Shelves(self.config, self.fleet, self.journal, self.templates)

    @property
    def library(self) -> Library:
        """The documents of the state folder, in collections. It needs the extra `rag`.

        Example::

            for passage in await app.library.search("notes", mmos.library.Query("How long may a host take?")):
                print(passage.source, passage.text)
        """
        return self.shelves.library

    def check_library(self, options: RunOptions) -> None:
        """Raise if a run with these options would read a collection that is not there."""
        from mmos.app.surrounding import looking_up_for

        looking_up_for(self, options)

    def look_up_for(self, name: str, keys: PatternRag) -> LookUp:
        """What looks the task of the pattern `name` up for its members."""
        from mmos.app.pattern_library import PatternLookUp

        return PatternLookUp(self.shelves, keys, name)

    def _library_tools(self) -> list[Tool]:
        """The tool that finds passages, if there is a collection."""
        rag, folder = self.config.orchestration.rag, self.journal.folder
        has_some = folder is not None and any((folder / FOLDER).glob(f"*{PIECES}"))  # looked for without an import: most users have none
        if not (rag.store or rag.runs or has_some):
            return []
        from mmos.tools.search_library import search_library

        shelves = self.shelves
        return [search_library(shelves.offered, shelves.usual, shelves, self.templates)] if shelves.offered else []
