"""A fleet of Ollama hosts that works as one mind."""

from __future__ import annotations

from mmos.version import __version__

TYPE_CHECKING = False  # `typing` itself would be looked for in the working folder first, by `python -m mmos`
if TYPE_CHECKING:
    from typing import Any

    from mmos import errors, events
    from mmos.app import Answer, App, RunFailed, RunOptions, Task, Watch
    from mmos.app import open_app as open  # noqa: A004
    from mmos.blocking import run_sync
    from mmos.comparing.cases import Case
    from mmos.comparing.sides import Side
    from mmos.context import Context, Participant, UserQuestion
    from mmos.errors import ConfigError, HostError, MmosError, NoHost, NotFound, StateError, ToolError, UsageError
    from mmos.fleet.fleet import Fleet
    from mmos.scope import Hint
    from mmos.toolbox import Tool, tool

_HOMES = {
    "mmos.app": ("Answer", "App", "RunFailed", "RunOptions", "Task", "Watch", "open"),
    "mmos.blocking": ("run_sync",),
    "mmos.comparing.cases": ("Case",),
    "mmos.comparing.sides": ("Side",),
    "mmos.errors": ("ConfigError", "HostError", "MmosError", "NoHost", "NotFound", "StateError", "ToolError", "UsageError"),
    "mmos.fleet.fleet": ("Fleet",),
    "mmos.scope": ("Hint",),
    "mmos.context": ("Context", "Participant", "UserQuestion"),
    "mmos.toolbox": ("Tool", "tool"),
}
"""Where each public name lives."""

__all__ = [
    "Answer", "App", "Case", "ConfigError", "Context", "Fleet", "Hint", "HostError", "MmosError", "NoHost", "NotFound", "Participant",
    "RunFailed", "RunOptions", "Side", "StateError", "Task", "Tool", "ToolError", "UsageError", "UserQuestion", "Watch", "__version__", "errors", "events",
    "library", "open", "patterns", "run_sync", "tool",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import mmos` itself costs nothing."""
    from importlib import import_module

    if name in ("errors", "events", "library", "patterns"):
        return import_module(f"mmos.{name}")
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'mmos' has no attribute {name!r}")
    return getattr(import_module(home), "open_app" if name == "open" else name)


def __dir__() -> list[str]:
    return list(__all__)
