"""Cuts a log that comes in pieces into blocks of whole lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

BLOCK = 256 * 1024
"""About so many bytes make a block."""
LONGEST = 4 * BLOCK
"""A longer line is taken for one of this length."""
_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""Redirected output of PowerShell begins like this."""


class Blocks:
    """Takes pieces of any size, and gives blocks of about one size. A block has no line end at its end."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._begun and data:
            self._begun = True
            self._decoder = codecs.getincrementaldecoder(_WIDE[data[:2]])("replace") if data[:2] in _WIDE else None
        for start in range(0, len(data), BLOCK):
            piece = data[start : start + BLOCK]
            self._rest += self._decoder.decode(piece).encode("utf-8", "replace") if self._decoder else piece
            if len(self._rest) >= BLOCK:
                yield from self._whole_lines()

    def close(self) -> Iterator[bytes]:
        """What is left, also when its last line has no end."""
        if self._rest:
            yield bytes(self._rest.removesuffix(b"\n"))
            self._rest.clear()

    def _whole_lines(self) -> Iterator[bytes]:
        end = self._rest.rfind(b"\n")
        if end >= 0:
            yield bytes(self._rest[:end])
            del self._rest[: end + 1]
        elif len(self._rest) > LONGEST:
            del self._rest[LONGEST:]
