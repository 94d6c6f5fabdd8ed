"""Libraries for tests, of a few short documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmos.library.library import Library
from mmos.library.passages import Document


async def filled(state: Path, **collections: Mapping[str, str]) -> Path:
    """A state folder whose library has these collections, each with documents by their names."""
    library = Library(state / "library")
    for name, documents in collections.items():
        await library.add(name, [Document(source, text) for source, text in documents.items()])
    return state
