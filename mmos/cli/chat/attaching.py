"""Files that go with the next message: their text, when it is text and not too long."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmos.errors import UsageError

MOST_BYTES = 256 * 1024


@dataclass(frozen=True)
class Attachment:
    name: str
    text: str


def attachment(path: str) -> Attachment:
    """The file's text; anything that no model could read is refused."""
    try:
        place = named(path)
        with place.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: {(getattr(error, 'strerror', None) or str(error)).lower()}.", next_step="Tab completes the names of files."
        ) from None
    if len(data) > MOST_BYTES:
        raise UsageError(
            f"{path} has more than {MOST_BYTES // 1024} kB; no window holds that beside a conversation.",
            next_step="Attach the part that matters.",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{path} is not text in UTF-8: models read text alone.")
    return Attachment(place.name, text)


def named(text: str) -> Path:
    """The path that a user means, also as terminals write one that is dropped on them: quoted, or with its spaces escaped."""
    try:
        place = Path(text).expanduser()
        words = [] if place.exists() else shlex.split(text)
        return Path(words[0]).expanduser() if len(words) == 1 else place
    except RuntimeError as error:  # the home of nobody
        raise UsageError(f"{text}: {error}") from None
    except ValueError:  # a quote that nobody closed, or a sign that no name has
        return Path(text)


def with_attachments(message: str, attached: Sequence[Attachment]) -> str:
    """The message with the files after it, each in a fence that nothing in it closes."""
    return "\n\n".join([message, *(_fenced(one) for one in attached)])


def _fenced(one: Attachment) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", one.text)), default=2)
    fence = "`" * (longest + 1)
    return f"The file {one.name}:\n{fence}\n{one.text.rstrip()}\n{fence}"
