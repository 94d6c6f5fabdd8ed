"""Defines an answer as the cache keeps it, and what the cache says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """An answer of a model."""

    model: str
    """Its canonical name."""
    host: str
    """The host that gave it."""
    run: str
    """The run that asked for it."""
    content: str
    """As the host sent it."""
    thinking: str = ""
    tokens: int = 0
    """Tokens that the model read and wrote for it."""
    seconds: float = 0.0
    """How long it took, on the clock of MMOS."""
    made: float = 0.0
    """When, in seconds since 1970."""
    words: str = ""
    """The last words of the user that it answers; only if requests in other words may find it."""


@dataclass(frozen=True)
class Figures:
    """What the cache has of one model."""

    model: str
    answers: int
    size: int
    """Bytes of the answers."""
    hits: int
    """How often one of them was used."""
    seconds: float
    """The seconds that those uses saved."""
    oldest: float
    newest: float


@dataclass(frozen=True)
class Terms:
    """How long and how much the cache keeps."""

    keep: float = 86_400.0
    """Seconds until an answer is forgotten."""
    most: int = 256 << 20
    """Bytes of the file. The answers that were not used for the longest time go first."""
    patience: float = 0.25
    """Seconds that a call waits for other processes. It is a cache: without an answer the model is asked."""
