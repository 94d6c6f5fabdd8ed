"""Defines what a library is made of: documents, their pieces, questions, and the passages that it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SIZE = 1_000
"""The most characters of a piece, and so of a passage."""


@dataclass(frozen=True)
class Document:
    """A text to keep, as it was read from a file or given by the caller."""

    source: str
    """Its name: the absolute path of a file, or what the caller calls it."""
    text: str
    title: str = ""
    language: str = "text"
    """markdown, html, pdf, docx, text, or the language of a program, such as python."""
    root: str = ""
    """The folder that was added. Empty: the file itself was named."""
    changed: float = 0.0
    """When the source changed, in seconds since 1970."""
    size: int = 0
    """The bytes of the source."""
    digest: str = ""
    """Of the bytes of the source."""


@dataclass(frozen=True)
class Piece:
    """A part of a document, as it is indexed."""

    start: int
    """The first character in the text of the document."""
    end: int
    path: str = ""
    """The headings above it, or the names of the class and the function: `Install > Linux`."""


@dataclass(frozen=True)
class Filter:
    """Where to look. Empty values allow everything."""

    source: str = ""
    """A source, or a pattern with `*` and `?`."""
    path: str = ""
    """A part of the headings above a passage."""
    language: str = ""
    since: float | None = None
    """Only sources that changed at this time or later, in seconds since 1970."""
    until: float | None = None


ANYWHERE = Filter()


@dataclass(frozen=True)
class Query:
    """A question to a collection."""

    text: str
    top_k: int = 5
    threshold: float = 0.0
    """If the best passage has a lower score, the library has nothing about the question."""
    where: Filter = ANYWHERE
    others: tuple[str, ...] = ()
    """The question in other words, which a model wrote."""
    weight: float | None = None
    """What vectors count beside words. None: as the collection says. 0: words alone."""


@dataclass(frozen=True)
class Passage:
    """A part of a document that fits a question."""

    collection: str
    source: str
    start: int
    """The first character in the text of the source."""
    end: int
    text: str
    score: float
    """How well it fits, from 0 to 1."""
    title: str = ""
    path: str = ""
    language: str = ""


class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def model(self) -> str: ...
    @property
    def seconds(self) -> float:
        """How long a question waits for its vector. Then words alone must do."""
        ...

    async def digest(self) -> str:
        """The digest of the model: other weights have another one."""
        ...

    async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:
        """The vectors of texts, in their order. Some models read questions in another way than texts."""
        ...
