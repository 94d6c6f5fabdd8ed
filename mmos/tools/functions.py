"""The user's own functions as tools: named in the configuration, or offered by installed packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mmos.errors import ConfigError, Problem
from mmos.toolbox import Tool, from_function

GROUP = "mmos.tools"


def from_configuration(names: Iterable[str], folder: Path | None) -> list[Tool]:
    """`module:function` each; the configuration's folder is on the import path, in front."""
    names = list(names)
    if names and folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    tools, problems = [], []
    for name in names:
        try:
            tools.append(from_function(_resolve(name)))
        except (ImportError, AttributeError, TypeError, SyntaxError) as error:
            problems.append(Problem("", "orchestration.tools", f"{name!r} cannot be used: {type(error).__name__}: {error}"))
    if problems:
        raise ConfigError(problems)
    return tools


def from_packages() -> list[Tool]:
    """What installed packages offer under the entry point group `mmos.tools`."""
    tools, problems = [], []
    for entry in entry_points(group=GROUP):
        try:
            loaded = entry.load()
            tools.append(loaded if isinstance(loaded, Tool) else from_function(loaded))
        except (ImportError, AttributeError, TypeError) as error:
            problems.append(Problem("", f"entry point {entry.value}", f"cannot be used: {type(error).__name__}: {error}"))
    if problems:
        raise ConfigError(problems, next_step="Update or remove the package that offers it.")
    return tools


def _resolve(name: str) -> Callable[..., Any]:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{name} is not a function")
    return found  # type: ignore[no-any-return]
