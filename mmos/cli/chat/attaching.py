"""Files that go with the next message, by the names that people type or drop."""

from __future__ import annotations

import shlex
from pathlib import Path

from mmos.errors import UsageError
from mmos.files import read
from mmos.messages import File


def attachment(path: str) -> File:
    """The file that a user means."""
    return read(named(path))


def size(file: File) -> int:
    """Bytes of what is attached."""
    return len(file.text.encode()) or len(file.image) * 3 // 4


def named(text: str) -> Path:
    """The path that a user means, also as terminals write one that is dropped on them: quoted, or with its spaces escaped."""
    try:
        place = Path(text).expanduser()
        words = [] if place.exists() else shlex.split(text)
        return Path(words[0]).expanduser() if len(words) == 1 else place
    except RuntimeError as error:  # the home of nobody
        raise UsageError(f"{text}: {error}") from None
    except (OSError, ValueError):  # a quote that nobody closed, a sign that no name has, or more of them than any
        return Path(text)
