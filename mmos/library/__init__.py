"""Keeps the documents of users in collections, and finds passages in them that fit a question."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mmos.library.finding import find
    from mmos.library.library import Library
    from mmos.library.passages import Document, Filter, Passage, Query

_HOMES = {
    "mmos.library.finding": ("find",),
    "mmos.library.library": ("Library",),
    "mmos.library.passages": ("Document", "Filter", "Passage", "Query"),
}
"""Where each public name lives. It is imported when it is first used."""

__all__ = ["Document", "Filter", "Library", "Passage", "Query", "find"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'mmos.library' has no attribute {name!r}")
    return getattr(import_module(home), name)
