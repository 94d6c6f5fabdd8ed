"""Reads a file as a document, whatever its kind."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from mmos.library.finding import Found
from mmos.library.passages import Document


class Unreadable(Exception):
    """A file that has no text that MMOS can read. The message says why."""


def read(found: Found) -> Document:
    """The document in a file. Raises `Unreadable`."""
    try:
        data = Path(found.path).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error
    name = Path(found.path).name
    return Document(found.path, text, name, "text", found.root, found.changed, len(data), sha256(data).hexdigest())
