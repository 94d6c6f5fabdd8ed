"""Reads and changes the text of a file, which has `\\n` at the end of each line, whatever the file has."""

from __future__ import annotations

from mmos.errors import ToolError, UsageError
from mmos.rewriting.text import NotWritable, Text, text_of


def read_text(data: bytes, name: str) -> Text:
    """The text of a file. Raises `ToolError` for a file that is no text."""
    try:
        return text_of(name, data)
    except UsageError:
        raise ToolError(f"{name} is a binary file. This tool reads texts only.") from None


def bytes_of(text: Text | None, new: str) -> bytes:
    """A new text in the form that the file has. None: there is no file yet."""
    try:
        return new.encode() if text is None else text.bytes_of(new, exactly=True)
    except (NotWritable, UnicodeEncodeError) as error:
        reason = error.message if isinstance(error, NotWritable) else "The text has a character that UTF-8 does not have."
        raise ToolError(f"{reason} Write the text without it.") from None


def plain(text: str) -> str:
    """The text of a model, with the line ends that texts have here."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def replaced(text: str, old: str, new: str) -> str:
    """The text in which `new` stands for `old`. All the rest stays as it is."""
    count = text.count(old)
    if count > 1:
        raise ToolError(f"`old` is in the file {count} times. Give more lines around it, so that it is there once.")
    if not count:
        raise ToolError("`old` is not in the file. Read the file again and copy the text exactly.")
    return text.replace(old, new)


def lines_of(text: str) -> list[str]:
    """The lines, without their ends."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
