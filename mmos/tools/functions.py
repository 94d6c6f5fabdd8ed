"""Loads the user's functions as tools. The configuration names them, or installed packages offer them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
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
"""What Python raises for a function that is not there. Any other exception during the import is an error of that module, and MMOS shows it as such."""


@dataclass(frozen=True)
class Reference:
    """The module and the name of a function."""

    text: str
    module: str
    name: str
    place: int | None = None
    """Its position in `tools`. None: an installed package offers it."""

    def look(self, folder: Path | None) -> str | None:
        """The name of its tool, without importing anything. None: only an import would tell. Raises `UnusableError`."""
        return look(self.module, self.name, None if self.place is None else folder, by_package=self.place is None)

    def load(self, folder: Path | None) -> Tool:
        """Import the function and make the tool. The configuration's folder comes first on the import path."""
        if self.place is not None and folder is not None:
            put_on_path(folder)
        try:
            function: Any = importlib.import_module(self.module)
            for part in filter(None, self.name.split(".")):
                function = getattr(function, part)
            if isinstance(function, Tool):
                return function
            if not callable(function):
                raise TypeError("it is not a function")
            if self.place is not None:
                _check_home(function, folder)
            return from_function(function)
        except MISSING as error:
            raise UnusableError(f"{type(error).__name__}: {error}") from error
        except (SystemExit, KeyboardInterrupt) as error:
            raise UnusableError(f"{self.module} ends the program when it is imported ({type(error).__name__}: {error})") from error


def references(names: Mapping[int, str]) -> Iterator[Reference]:
    """The functions that the configuration names, by position; then those that installed packages offer in the entry point group `mmos.tools`."""
    for place, text in names.items():
        module, _, name = text.partition(":")
        yield Reference(text, module, name, place)
    for entry in entry_points(group=GROUP):
        yield Reference(entry.value, entry.module, entry.attr)


def _check_home(function: Any, folder: Path | None) -> None:
    """Refuse a function of Python or of a package that is not marked as a tool, also when the user's module imports it."""
    if hasattr(function, "__mmos_tool__"):
        return
    while isinstance(function, partial):
        function = function.func
    home = getattr(function, "__module__", None) or "builtins"
    file = getattr(sys.modules.get(home), "__file__", None)
    if whose := owner(home, Path(file) if file else None, folder):
        raise not_yours(f"{home}.{getattr(function, '__qualname__', '')}".rstrip("."), whose)
