"""Reads the files that users attach to the next message, by paths that they type or drop on the terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from mmos.errors import UsageError
from mmos.files import read
from mmos.messages import File


def attachment(path: str) -> File:
    return read(named(path))


def size(file: File) -> int:
    """Count the bytes of an attached file."""
    return len(file.text.encode()) or len(file.image) * 3 // 4


def named(text: str) -> Path:
    """Find the path that a user means. Terminals write a dropped file in quotes or with escaped spaces: read those, too."""
    try:
        place = Path(text).expanduser()
        words = [] if place.exists() else shlex.split(text)
        return Path(words[0]).expanduser() if len(words) == 1 else place
    except RuntimeError as error:  # `~name` of an unknown user
        raise UsageError(f"{text}: {error}") from None
    except (OSError, ValueError):  # an open quote, a character that file names cannot have, or a name that is too long
        return Path(text)
