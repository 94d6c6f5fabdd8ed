"""Cuts the text of a piece into windows of whole sentences, of which vectors are made."""

from __future__ import annotations

import re
from collections.abc import Iterator

WINDOW = 450
"""The most characters of a window. It fits every embedding model, and says one thing rather than five."""

_END = re.compile(r"\n\s*|(?<=[.!?])\s+(?=[A-Z0-9(\"'\[])|(?<=[。！？])")


def windows(text: str, size: int = WINDOW) -> list[str]:
    """The windows of a text, in their order. Together they have all of its words, each once."""
    found: list[str] = []
    start, end = 0, 0
    for begins, ends in _parts(text, size):
        if ends - start > size:
            found.append(text[start:end])
            start = begins
        end = ends
    found.append(text[start:end])
    return [one for one in map(str.strip, found) if one]


def sentences(text: str) -> list[str]:
    """The sentences of a text. A line that ends ends a sentence, because headings and lists have no full stops."""
    return [text[begins:ends].strip() for begins, ends in _sentences(text) if text[begins:ends].strip()]


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _END.finditer(text):
        yield start, found.start()
        start = found.end()
    yield start, len(text)


def _parts(text: str, size: int) -> Iterator[tuple[int, int]]:
    """The sentences. One that is longer than a window is cut between words, or where it must be."""
    for start, end in _sentences(text):
        while end - start > size:
            space = text.rfind(" ", start + size // 2, start + size)
            cut = space if space > 0 else start + size
            yield start, cut
            start = cut
        if end > start:
            yield start, end
