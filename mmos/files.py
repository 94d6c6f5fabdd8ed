"""Reads files that the user attaches: texts in UTF-8 and images, up to the size that a model can read."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from pathlib import Path

from mmos.errors import UsageError
from mmos.messages import File, clean

MOST_TEXT = 1024 * 1024
MOST_IMAGE = 20 * 1024 * 1024

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""A flag for opening a file in a folder that may come from a stranger: a symbolic link is an error."""
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""A flag for opening what may be a pipe: opening does not wait for the other end."""

_KINDS = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


def read(path: str | Path) -> File:
    """Read a regular file to attach it. A pipe or a device is an error, because reading it could take for ever."""
    place = Path(path)
    try:
        data = content(place, MOST_IMAGE + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{path}: {reason}.", next_step="Check the path.") from None
    within = not place.is_absolute() and ".." not in place.parts
    return file_of(str(place) if within else place.name, data)


def content(place: Path, most: int, *, follow: bool = True) -> bytes:
    """The first `most` bytes of a regular file. Anything else, such as a pipe, is an error, and opening it does not wait.

    `follow=False`: a symbolic link is not followed. The folder may come from a stranger.
    """
    number = os.open(place, os.O_RDONLY | NO_WAIT | (0 if follow else NO_FOLLOW))
    try:
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no file")
            raise UsageError(f"{place} is {kind}: only files can be attached.", next_step="Pipe text into mmos instead.")
        with os.fdopen(number, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(number)


def file_of(name: str, data: bytes) -> File:
    """Make a file of this name from its bytes. The first bytes show whether it is an image."""
    name = clean(name)
    if not data.startswith(_IMAGES) and not (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return File(name, text_of(name, data))
    if len(data) > MOST_IMAGE:
        raise UsageError(f"The image {name} has more than {MOST_IMAGE >> 20} MB.", next_step="Make it smaller.")
    return File(name, image=b64encode(data).decode())


def text_of(name: str, data: bytes) -> str:
    """The bytes as a text. Raise if they are no text, or too many for a model."""
    if len(data) > MOST_TEXT:
        raise UsageError(
            f"{name} has more than {MOST_TEXT >> 10:,} kB. No model reads that much at once.", next_step="Give the part that matters."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_text(name, error.start) from None
    if "\0" in text:
        raise _no_text(name, data.index(0))
    return text


def _no_text(name: str, place: int) -> UsageError:
    return UsageError(
        f"{name} is neither text in UTF-8 nor an image (byte {place}).",
        next_step="Models read text, and images in PNG, JPEG, GIF or WebP.",
    )
