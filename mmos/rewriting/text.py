"""Reads the text of a file together with its form: the encoding, the byte order mark and the ends of its lines. So a new text gets the same form."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mmos.errors import UsageError
from mmos.files import MOST_TEXT
from mmos.rewriting.lines import pairs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_END = re.compile(r"\r\n|\n|\r")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text in one of the old encodings has."""
_WIDE = 0.3
"""In UTF-16 of Latin letters every second byte is zero. With this share of them a text without a mark is taken for UTF-16."""


class NotWritable(UsageError):
    """A text has a character that the encoding of its file does not have."""


@dataclass(frozen=True)
class Form:
    """How a text stands in its file."""

    encoding: str = "utf-8"
    mark: bytes = b""
    """The byte order mark at its begin, if it has one."""
    ends: tuple[str, ...] = ()
    """The end of each line that has one, in order."""

    @property
    def usual_end(self) -> str:
        """The end that most lines have."""
        counts = Counter(self.ends)
        return max(counts, key=counts.__getitem__) if counts else "\n"


@dataclass(frozen=True)
class Text:
    """The text of a file, with `\\n` at the end of each line, and the form that it has in the file."""

    text: str
    form: Form

    def fitted(self, new: str) -> str:
        """A new text as it would be read back: with the usual line ends, and with an end like that of the old text."""
        whole = _END.sub("\n", new).removeprefix("\ufeff")
        return _ended_like(self.text, whole) if self.text else whole

    def bytes_of(self, new: str, *, exactly: bool = False) -> bytes:
        """A new text in the form of this one. Lines that stay keep their ends, and the last line ends as before; `exactly`: as the new text does."""
        whole = _END.sub("\n", new) if exactly else self.fitted(new)
        if set(self.form.ends) - {"\n"}:
            ended = "".join(_with_ends(self, whole))
            whole = ended if _END.sub("\n", ended) == whole else whole.replace("\n", self.form.usual_end)
        try:
            return self.form.mark + whole.encode(self.form.encoding)
        except UnicodeEncodeError as error:
            sign = error.object[error.start]
            raise NotWritable(
                f"The file is written in {self.form.encoding}, which has no {sign!r}.",
                next_step="Convert the file to UTF-8 first, or ask for a text without this character.",
            ) from None


def text_of(name: str, data: bytes) -> Text:
    """Read the bytes of a file. Raises `UsageError` if they are no text that can be written back unchanged."""
    if len(data) > MOST_TEXT:
        raise UsageError(f"{name} has more than {MOST_TEXT >> 10:,} kB. No model rewrites that much.", next_step="Split the file.")
    for encoding, mark in _ways(data):
        try:
            whole = data[len(mark) :].decode(encoding)
        except UnicodeDecodeError:
            continue
        if not mark and encoding.startswith("utf-16") and _CONTROL.search(whole.encode("utf-8", "replace")):
            continue
        if "\0" not in whole and whole.encode(encoding, "surrogatepass") == data[len(mark) :]:
            return Text(_END.sub("\n", whole), Form(encoding, mark, tuple(_END.findall(whole))))
    raise UsageError(f"{name} is no text.", next_step="Only files of text can be rewritten.")


def _ways(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The encodings that the bytes may have, the likeliest first."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            yield encoding, mark
            return
    zeros = [data[start::2].count(0) for start in (0, 1)]
    if data and len(data) % 2 == 0 and max(zeros) > _WIDE * len(data) / 2:
        yield ("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"), b""
    yield "utf-8", b""
    if not _CONTROL.search(data):
        if re.search(rb"[\x80-\x9f]", data):
            yield "cp1252", b""
        yield "latin-1", b""


def _ended_like(old: str, new: str) -> str:
    """The new text with as many line ends at its end as the old one. Models add one or leave one out."""
    return new.rstrip("\n") + "\n" * (len(old) - len(old.rstrip("\n"))) if new.strip("\n") else new


def _with_ends(old: Text, new: str) -> Iterator[str]:
    """The new lines with the ends of the old ones: a line that stays keeps its own, a new one gets that of its neighbour."""
    before, after = old.text.split("\n"), new.split("\n")
    ends: list[str | None] = [None] * len(after)
    for first, second in pairs(before, after):
        if first < len(old.form.ends):
            ends[second] = old.form.ends[first]
    last = old.form.usual_end
    for line, end in zip(after[:-1], ends, strict=False):
        last = end or last
        yield line + last
    yield after[-1]
