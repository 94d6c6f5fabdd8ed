"""The user's own functions as tools: named in the configuration, or offered by installed packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mmos.toolbox import Tool, from_function
from mmos.tools.looking import UnusableError, look

GROUP = "mmos.tools"
MISSING = (ImportError, AttributeError, TypeError, SyntaxError)
"""What a function that cannot be had raises. Whatever else a module raises while it is imported is a fault of that module, and is shown as one."""


@dataclass(frozen=True)
class Reference:
    """A function by its module and its name there."""

    text: str
    module: str
    name: str
    place: int | None = None
    """Where it stands in `tools`; None for one that a package offers."""

    def look(self, folder: Path | None) -> str | None:
        """The name of its tool, without importing anything; None where that cannot be known. Raises `UnusableError`."""
        return look(self.module, self.name, None if self.place is None else folder)

    def load(self, folder: Path | None) -> Tool:
        """The tool itself; the configuration's folder is on the import path, in front."""
        if self.place is not None and folder is not None and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        try:
            found: Any = importlib.import_module(self.module)
            for part in filter(None, self.name.split(".")):
                found = getattr(found, part)
            return found if isinstance(found, Tool) else from_function(_callable(found))
        except MISSING as error:
            raise UnusableError(f"{type(error).__name__}: {error}") from error


def references(configured: Sequence[str]) -> Iterator[Reference]:
    """What the configuration names, and what installed packages offer under the entry point group `mmos.tools`."""
    for place, text in enumerate(configured):
        module, _, name = text.partition(":")
        yield Reference(text, module, name, place)
    for entry in entry_points(group=GROUP):
        yield Reference(entry.value, entry.module, entry.attr)


def _callable(found: Any) -> Any:
    if not callable(found):
        raise TypeError("it is not a function")
    return found
