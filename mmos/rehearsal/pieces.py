"""Defines the pieces of a scripted turn: text, thoughts, calls and failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Say:
    """Text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Think:
    """Text of the thought. It is left out when the request turns thinking off."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. It is passed on unchanged, whether the tool is offered or not."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """The model's raw text with tags. Its parser finds calls, thoughts and text in it."""

    text: str


@dataclass(frozen=True, slots=True)
class BadByte:
    """A byte that is not UTF-8."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The same text over and over, until a limit of the request stops it."""

    text: str


@dataclass(frozen=True, slots=True)
class Ramble:
    """This many words without a meaning."""

    words: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The turn ends here, with this reason."""

    reason: str = "length"


@dataclass(frozen=True, slots=True)
class Fail:
    """The engine fails here: with an error line in a stream, or with a 500 before it."""

    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection closes here without an error."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The model stops here and keeps its slot: for this many seconds of the host's time, or for ever."""

    seconds: float | None = None
    after: int = 0
    """The piece comes not here, but after this many tokens of the turn, or at its end."""


Piece: TypeAlias = Say | Think | Call | Raw | BadByte | Loop | Ramble | Finish | Fail | Cut | Stall
