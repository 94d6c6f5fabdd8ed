"""Reads texts: in UTF-8, in UTF-16 with its mark, or as Windows writes them."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

from mmos.library.reading.files import Text, Unreadable

_SEEN = 8_192
"""Bytes that are looked at to tell a text from other data."""
_FEW = 0.02
"""The part of control characters that a text may have."""
_CONTROLS = bytes(number for number in range(32) if number not in (7, 8, 9, 10, 11, 12, 13, 27)) + b"\x7f"


def read(data: bytes) -> Text:
    return Text(decoded(data))


def decoded(data: bytes) -> str:
    """The text in these bytes, with its own ends of lines. Raises `Unreadable` for what is no text."""
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return _as("utf-16", data)
    if b"\0" in data[:_SEEN]:
        raise Unreadable("it is no text")
    try:
        return data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        part = data[:_SEEN]
        if len(part.translate(None, _CONTROLS)) < len(part) * (1 - _FEW):
            raise Unreadable("it is no text") from None
        return data.decode("cp1252", "replace")


def _as(encoding: str, data: bytes) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(f"it begins like a text in {encoding} and is none") from None
