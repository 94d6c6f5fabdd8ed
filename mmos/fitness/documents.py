"""Stores JSON documents about a model on a host in a folder of the state folder, one small file for each."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from mmos.errors import StateError, UsageError
from mmos.files import content
from mmos.journal.folder import make, write
from mmos.names import canonical

MOST_BYTES = 1 << 20
"""Of a document. A longer file is damaged."""


def put(path: Path, document: object, what: str) -> None:
    """Write a document in place of an older one. `what`: its name in an error."""
    folder = path.parent
    try:
        make(folder.parent)
        folder.mkdir(exist_ok=True)
        write(path, document)
    except OSError as error:
        message = f"MMOS cannot write the {what} to {folder}: {(error.strerror or str(error)).lower()}."
        raise StateError(message, next_step="Name another state folder with --state.") from error


def read(path: Path) -> Any:
    """The document of a file. None: it cannot be read."""
    try:
        return orjson.loads(content(path, MOST_BYTES, follow=False))
    except (OSError, ValueError, UsageError):
        return None


def files_in(folder: Path) -> list[Path]:
    try:
        return [] if folder.is_symlink() else sorted(folder.glob("*.json"))
    except OSError:  # a folder that MMOS may not read
        return []


def file_name(model: str, host: str) -> str:
    """A readable file name for a model and a host. The digest keeps names apart that differ only in replaced characters."""
    name = f"{canonical(model)}@{host}"
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip(".")[:120]
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}.json"
