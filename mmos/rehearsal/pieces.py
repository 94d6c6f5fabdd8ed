"""The things that a scripted model can do in one turn."""

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
    """Text of the thought; left out where the request turns thinking off."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, passed on as it stands, whether such a tool is offered or not."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """What the model writes, tags and all: its parser makes calls, thoughts and text of it."""

    text: str


@dataclass(frozen=True, slots=True)
class BadByte:
    """A byte that is no UTF-8."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The same text over and over, until a limit of the request stops it."""

    text: str


@dataclass(frozen=True, slots=True)
class Ramble:
    """So many words that mean nothing."""

    words: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The turn ends here, for this reason."""

    reason: str = "length"


@dataclass(frozen=True, slots=True)
class Fail:
    """The engine fails here: an error line in a stream, a 500 before it."""

    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection closes here, without a word."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The model stops here and keeps its slot: for so many seconds of the host's own, or for ever."""

    seconds: float | None = None
    after: int = 0
    """Not here, but once so many tokens of the turn are written, or at its end."""


Piece: TypeAlias = Say | Think | Call | Raw | BadByte | Loop | Ramble | Finish | Fail | Cut | Stall
