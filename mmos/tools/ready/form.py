"""Reads the bytes of a file as text, and writes a text in the form that the file has: its encoding, its mark and its line endings."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass

from mmos.errors import ToolError

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ENDING = re.compile(r"\r\n|\r|\n")
_ANY_ENDING = r"(?:\r\n|\r|\n)"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
MOST_CONTROL = 0.05
"""The part of a text that may be control characters. A file with more is no text."""


@dataclass(frozen=True)
class Form:
    """How a text stands in a file."""

    encoding: str = "utf-8"
    mark: bytes = b""
    ending: str = "\n"

    def encode(self, text: str) -> bytes:
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            sign = text[error.start]
            raise ToolError(f"The file is in {self.encoding}, which has no character {sign!a}. Write the text without it.") from None

    def with_endings(self, text: str) -> str:
        """The text with the line endings of the file."""
        return _ENDING.sub(lambda _: self.ending, text)


def read_text(data: bytes, name: str) -> tuple[str, Form]:
    """The text of a file, exactly, with its form. Raises `ToolError` for a file that is no text."""
    mark, encoding = next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        if mark:
            raise _binary(name) from None
        encoding, text = "latin-1", body.decode("latin-1")
    if "\0" in text or len(_CONTROL.findall(text)) > MOST_CONTROL * len(text):
        raise _binary(name)
    endings = Counter(_ENDING.findall(text)).most_common(1)
    return text, Form(encoding, mark, endings[0][0] if endings else "\n")


def replaced(text: str, old: str, new: str, form: Form) -> str:
    """The text in which `new` stands for `old`, whatever the line endings of both. All the rest stays as it is."""
    places = list(re.finditer(_ANY_ENDING.join(re.escape(line) for line in _ENDING.split(old)), text))
    if len(places) != 1:
        how = "is not in the file. Read the file again and copy the text exactly." if not places else (
            f"is in the file {len(places)} times. Give more lines around it, so that it is there once."
        )  # fmt: skip
        raise ToolError(f"`old` {how}")
    (place,) = places
    ending = _ENDING.search(place[0])
    fitting = _ENDING.sub(lambda _: ending[0] if ending else form.ending, new)
    return text[: place.start()] + fitting + text[place.end() :]


def lines_of(text: str) -> list[str]:
    """The lines, without their endings."""
    lines = _ENDING.split(text)
    return lines[:-1] if lines[-1] == "" else lines


def _binary(name: str) -> ToolError:
    return ToolError(f"{name} is a binary file. This tool reads texts only.")
