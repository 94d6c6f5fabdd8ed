"""Takes long texts out of entries, so that the journal stores each once, and puts them in again byte for byte.

In place of a text, an entry has a reference: the number of its first row and how many follow it, between two control characters, which JSON never has.
Texts are kept as they stand in JSON. The second control character says whether the text is escaped once more.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

PIECE = 500
"""The bytes of one row of a text. Eight rows fill a page of 4 KiB, so texts of any length leave little of it empty."""
SHORTEST = 200
"""Shorter texts stay in their entries. To take them out takes longer than to write them."""
SEARCHED = 32
"""How many texts of a thread are looked for in other texts, the last ones used."""

_AS_IT_IS, _ESCAPED = b"\x02", b"\x03"
_OUTSIDE = (b" ", b"\\n", b"\\r", b"\\t")
_REFERENCE = re.compile(rb"\x01([0-9]{1,18})(?:\+([0-9]{1,9}))?([\x02\x03])")


@dataclass(eq=False, slots=True)
class Text:
    """A text of a thread. It has a reference as soon as it is written."""

    content: bytes
    reference: bytes = b""
    escaped: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.escaped = orjson.dumps(self.content.decode())[1:-1]

    @property
    def pieces(self) -> list[bytes]:
        return [self.content[start : start + PIECE] for start in range(0, len(self.content), PIECE)]


Torn = list["bytes | Text"]
"""An entry's data, with texts in it that are stored on their own."""


@dataclass
class Known:
    """The texts of one thread, as far as this process knows them."""

    id: int
    """The thread's number."""
    _all: dict[bytes, Text] = field(default_factory=dict)
    _newest: dict[bytes, Text] = field(default_factory=dict)
    _longest: list[tuple[int, bytes]] = field(default_factory=list)
    """The newest texts, in the order in which to look for them."""

    def add(self, text: Text) -> None:
        """Know a text, and look for it in the next entries."""
        text = self._all.setdefault(text.content, text)
        if self._newest.pop(text.content, None) is None:
            insort(self._longest, (-len(text.content), text.content))
        self._newest[text.content] = text
        if len(self._newest) > SEARCHED:
            oldest = next(iter(self._newest))
            del self._newest[oldest]
            del self._longest[bisect_left(self._longest, (-len(oldest), oldest))]

    def tear(self, data: bytes, new: list[Text]) -> Torn:
        """Take the long texts out of an entry. Add those to the list that are new."""
        found: Torn = []
        place = 0
        for start, stop in _long_strings(data):
            found.append(data[place:start])
            self._take(data[start:stop], found, new)
            place = stop
        found.append(data[place:])
        return found

    def _take(self, string: bytes, found: Torn, new: list[Text]) -> None:
        """Put texts in place of a string."""
        start, stop = _inside(string) if len(string) >= SHORTEST else (0, 0)
        if stop - start < SHORTEST:
            found.append(string)
            return
        content = string[start:stop]
        text = self._all.get(content)
        if text is None:
            if self._take_part(string, found, new):
                return
            text = Text(content)
            new.append(text)
        self.add(text)
        found += string[:start] + b"\x01", text, _AS_IT_IS + string[stop:]

    def _take_part(self, string: bytes, found: Torn, new: list[Text]) -> bool:
        """Put the longest known text in its place that is a part of the string."""
        for _, content in self._longest[bisect_left(self._longest, (-len(string),)) :]:
            text = self._newest[content]
            for form, how in ((content, _AS_IT_IS), (text.escaped, _ESCAPED)) if b"\\" in content else ((content, _AS_IT_IS),):
                place = string.find(form)
                if place >= 0:
                    self.add(text)
                    self._take(string[:place], found, new)
                    found += b"\x01", text, how
                    self._take(string[place + len(form) :], found, new)
                    return True
        return False


def _long_strings(data: bytes) -> list[tuple[int, int]]:
    """The places of strings that are not shorter than `SHORTEST`. Anything without quotation marks counts as a string."""
    if len(data) < SHORTEST:
        return []
    if b"\\" in data:
        data = data.replace(b"\\\\", b"\0\0").replace(b'\\"', b"\0\0")
    found = []
    start, end = 0, len(data)
    while end - start >= SHORTEST:
        quote = data.rfind(b'"', start, start + SHORTEST)
        if quote < 0:
            quote = data.find(b'"', start + SHORTEST)
            if quote < 0:
                quote = end
            found.append((start, quote))
        start = quote + 1
    return found


def _inside(string: bytes) -> tuple[int, int]:
    """The places of a string without the spaces around it, which differ between copies of a text."""
    start, stop = 0, len(string)
    while string.startswith(_OUTSIDE, start):
        start += 1 if string[start] == 0x20 else 2
    while string.endswith(_OUTSIDE, start, stop):
        stop -= 1 if string[stop - 1] == 0x20 else 2
    return start, stop


def joined(torn: Torn) -> bytes:
    """The data as the journal stores it, when all its texts are written."""
    if len(torn) == 1 and isinstance(torn[0], bytes):
        return torn[0]
    return b"".join([each if isinstance(each, bytes) else each.reference for each in torn])


def reference(rows: range) -> bytes:
    return b"%d+%d" % (rows[0], len(rows) - 1) if len(rows) > 1 else b"%d" % rows[0]


def needed(data: bytes) -> list[range]:
    """The rows of the texts that an entry refers to."""
    found = _REFERENCE.findall(data) if b"\x01" in data else ()
    return [_rows(first, more) for first, more, _ in found]


def _rows(first: bytes, more: bytes | None) -> range:
    return range(int(first), int(first) + int(more or 0) + 1)


def whole(data: bytes, pieces: Mapping[int, bytes], most: int) -> bytes:
    """An entry's data with its texts. Raises `ValueError`, `TypeError` or `LookupError` if it makes no sense or has more than so many bytes."""
    room = most

    def put_in(found: re.Match[bytes]) -> bytes:
        nonlocal room
        rows = _rows(found[1], found[2])
        text = b"".join(map(pieces.__getitem__, rows))
        if found[3] == _ESCAPED:
            text = orjson.dumps(text.decode())[1:-1]
        room -= max(len(text), len(rows))
        if room < 0 or not text:
            raise ValueError("too large, or no text")
        return text

    return _REFERENCE.sub(put_in, data) if b"\x01" in data else data
