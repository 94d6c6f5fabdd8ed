"""Puts the pieces that a full-text index found into the order in which they fit a question."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.library.frequencies import Frequencies
from mmos.library.words import stem, words


def rank(question: str, texts: Sequence[str], frequencies: Frequencies) -> list[float]:  # noqa: ARG001
    """How well each text fits, from 0 to 1. `frequencies`: of the whole collection."""
    wanted = {stem(word) for word in words(question)}
    return [len(wanted & {stem(word) for word in words(text)}) / max(1, len(wanted)) for text in texts]
