"""Files that go with the next message: their text, when it is text and not too long."""

from __future__ import annotations

import re
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
    place = Path(path).expanduser()
    try:
        with place.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}.", next_step="Say /attach FILE.") from None
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


def with_attachments(message: str, attached: Sequence[Attachment]) -> str:
    """The message with the files after it, each in a fence that nothing in it closes."""
    return "\n\n".join([message, *(_fenced(one) for one in attached)])


def _fenced(one: Attachment) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", one.text)), default=2)
    fence = "`" * (longest + 1)
    return f"The file {one.name}:\n{fence}\n{one.text.rstrip()}\n{fence}"
