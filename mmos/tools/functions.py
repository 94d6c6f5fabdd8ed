"""The user's own functions as tools: named in the configuration, or offered by installed packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mmos.toolbox import Tool, from_function
from mmos.tools.importing import put_on_path
from mmos.tools.looking import UnusableError, look, not_yours, owner

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
        return look(self.module, self.name, None if self.place is None else folder, offered=self.place is None)

    def load(self, folder: Path | None) -> Tool:
        """The tool itself; the configuration's folder is on the import path, in front."""
        if self.place is not None and folder is not None:
            put_on_path(folder)
        try:
            found: Any = importlib.import_module(self.module)
            for part in filter(None, self.name.split(".")):
                found = getattr(found, part)
            if isinstance(found, Tool):
                return found
            if self.place is not None:
                _check_home(_callable(found), folder)
            return from_function(_callable(found))
        except MISSING as error:
            raise UnusableError(f"{type(error).__name__}: {error}") from error
        except (SystemExit, KeyboardInterrupt) as error:
            raise UnusableError(f"{self.module} ends the program when it is imported ({type(error).__name__}: {error})") from error


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


def _check_home(function: Any, folder: Path | None) -> None:
    """A function that is not marked as a tool has to be the user's own, whatever it is called where it was found."""
    if hasattr(function, "__mmos_tool__"):
        return
    while isinstance(function, partial):
        function = function.func
    home = getattr(function, "__module__", None) or "builtins"
    file = getattr(sys.modules.get(home), "__file__", None)
    if whose := owner(home, Path(file) if file else None, folder):
        raise not_yours(f"{home}.{getattr(function, '__qualname__', '')}".rstrip("."), whose)
