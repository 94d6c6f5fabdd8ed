"""Cuts a text into the pieces that are indexed."""

from __future__ import annotations

from mmos.library.passages import SIZE, Piece

OVERLAP = 100


def cut(text: str, language: str = "text", *, size: int = SIZE, overlap: int = OVERLAP) -> list[Piece]:  # noqa: ARG001
    """The pieces of a text, in their order. Together they have all of its words."""
    step = size - overlap
    return [
        Piece(start, min(start + size, len(text)))
        for start in range(0, max(1, len(text) - overlap), step)
        if text[start : start + size].strip()
    ]
