"""A fleet of Ollama hosts that works as one mind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmos.version import __version__

if TYPE_CHECKING:
    from mmos.app import Answer, App, RunOptions
    from mmos.app import open_app as open  # noqa: A004
    from mmos.blocking import run_sync
    from mmos.errors import ConfigError, HostError, MmosError, NoHost, ToolError
    from mmos.fleet.fleet import Fleet
    from mmos.toolbox import Context, Tool, tool

_HOMES = {
    "Answer": ("mmos.app", "Answer"),
    "App": ("mmos.app", "App"),
    "RunOptions": ("mmos.app", "RunOptions"),
    "open": ("mmos.app", "open_app"),
    "run_sync": ("mmos.blocking", "run_sync"),
    "ConfigError": ("mmos.errors", "ConfigError"),
    "HostError": ("mmos.errors", "HostError"),
    "MmosError": ("mmos.errors", "MmosError"),
    "NoHost": ("mmos.errors", "NoHost"),
    "ToolError": ("mmos.errors", "ToolError"),
    "Fleet": ("mmos.fleet.fleet", "Fleet"),
    "Context": ("mmos.toolbox", "Context"),
    "Tool": ("mmos.toolbox", "Tool"),
    "tool": ("mmos.toolbox", "tool"),
}

__all__ = [
    "Answer", "App", "ConfigError", "Context", "Fleet", "HostError", "MmosError", "NoHost",
    "RunOptions", "Tool", "ToolError", "__version__", "open", "run_sync", "tool",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import mmos` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mmos' has no attribute {name!r}")
    from importlib import import_module

    home, inside = _HOMES[name]
    return getattr(import_module(home), inside)


def __dir__() -> list[str]:
    return list(__all__)
