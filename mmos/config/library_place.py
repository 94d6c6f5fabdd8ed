"""Says where the collections of the library are: in the state folder, or where the configuration says."""

from __future__ import annotations

import os
from pathlib import Path

from mmos.config.load import Config
from mmos.config.sources import expanded

FOLDER = "library"
"""The folder in the state folder."""


def place_of(config: Config, state: Path | None) -> str:
    """A folder, or the address of an object store. Empty: there is no state folder, and the configuration names nothing."""
    store = config.orchestration.rag.store
    if not store:
        return str(state / FOLDER) if state is not None else ""
    return store if "://" in store else str((config.folder or Path()) / expanded(store, os.environ))
