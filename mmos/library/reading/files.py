"""Reads a file as a document, whatever its kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module

from mmos.library.finding import INSTALL, LARGEST, Found
from mmos.library.passages import Document
from mmos.library.reading.kinds import language_of
from mmos.library.reading.titles import from_name, title_of

Reader = Callable[[bytes], "Text"]

READERS: dict[str, str] = {
    "pdf": "mmos.library.reading.pdf",
    "docx": "mmos.library.reading.docx",
    "html": "mmos.library.reading.html",
    "notebook": "mmos.library.reading.notebook",
}
"""The module for each kind of file that is no plain text. It has `read(data)`."""


class Unreadable(Exception):
    """A file that has no text that MMOS can read. The message says why."""


@dataclass(frozen=True)
class Text:
    """What a reader makes of a file."""

    text: str
    title: str = ""


def read(found: Found) -> Document:
    """The document in a file. Raises `Unreadable`."""
    try:
        with open(found.path, "rb") as file:  # noqa: PTH123  # the name may have any characters
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise Unreadable(((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()) from error
    if len(data) > LARGEST:  # it has grown since it was found, or has no end
        raise Unreadable(f"it is larger than {LARGEST >> 20} MB")
    language = language_of(found.path, data)
    text = _reader(language)(data)
    if not text.text.strip():
        raise Unreadable("it has no text")
    title = text.title or title_of(text.text, language) or from_name(os.path.basename(found.path))  # noqa: PTH119
    return Document(found.path, text.text, title, language, found.root, found.changed, len(data), sha256(data).hexdigest())


def _reader(language: str) -> Reader:
    try:
        reader: Reader = import_module(READERS.get(language, "mmos.library.reading.plain")).read
    except ImportError as error:
        raise Unreadable(f"a package is missing to read it ({error.name}): {INSTALL}") from error
    return reader
