"""Reads and changes the text of a file, which has `\\n` at the end of each line, whatever the file has."""

from __future__ import annotations

from mmos.config.wording import shown
from mmos.errors import ToolError, UsageError
from mmos.prompting.templates import Templates
from mmos.rewriting.text import NotWritable, Text, text_of


def read_text(templates: Templates, data: bytes, name: str) -> Text:
    """The text of a file. Raises `ToolError` for a file that is no text."""
    try:
        return text_of(name, data)
    except UsageError:
        raise ToolError(templates.fill("file_binary", path=name)) from None


def bytes_of(templates: Templates, text: Text | None, new: str) -> bytes:
    """A new text in the form that the file has. None: there is no file yet."""
    try:
        return new.encode() if text is None else text.bytes_of(new, exactly=True)
    except (NotWritable, UnicodeEncodeError):
        encoding = "utf-8" if text is None else text.form.encoding
        lacking = "".join(dict.fromkeys(sign for sign in new if not sign.encode(encoding, "ignore")))
        raise ToolError(templates.fill("file_signs", encoding=encoding, signs=shown(lacking))) from None


def plain(text: str) -> str:
    """The text of a model, with the line ends that texts have here."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def replaced(templates: Templates, text: str, old: str, new: str) -> str:
    """The text in which `new` stands for `old`. All the rest stays as it is."""
    count = text.count(old)
    if count > 1:
        raise ToolError(templates.fill("edit_many", number=str(count)))
    if not count:
        raise ToolError(templates.fill("edit_none"))
    return text.replace(old, new)


def lines_of(text: str) -> list[str]:
    """The lines, without their ends."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
