"""Assembles tool calls that arrive in pieces: by index, by id, or complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.hosts import reading


@dataclass
class Brackets:
    """Counts the brackets of JSON as it comes, so that no piece makes all before it be read again."""

    depth: int = 0
    opened: bool = False
    quoted: bool = False
    escaped: bool = False

    def take(self, text: str) -> None:
        for sign in text:
            if self.escaped:
                self.escaped = False
            elif sign == '"':
                self.quoted = not self.quoted
            elif self.quoted:
                self.escaped = sign == "\\"
            elif sign in "{[":
                self.depth, self.opened = self.depth + 1, True
            elif sign in "}]":
                self.depth -= 1

    @property
    def closed(self) -> bool:
        return self.opened and self.depth == 0


@dataclass
class Draft:
    """A call that is still being written."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    given: Mapping[str, Any] | None = None
    """Arguments that came as an object, against the custom."""
    _brackets: Brackets = field(default_factory=Brackets)
    _counted: int = 0
    """Pieces whose brackets are counted."""

    @property
    def arguments(self) -> Any:
        return "".join(self.pieces) if self.given is None else self.given

    @property
    def is_whole(self) -> bool:
        for piece in self.pieces[self._counted :]:
            self._brackets.take(piece)
        self._counted = len(self.pieces)
        return self.given is not None or self._brackets.closed


class Drafts:
    """All calls of an answer, in the order in which they began."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []
        self._newest: dict[object, Draft] = {}
        """Of each index; of none, the newest of all."""

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._drafts)

    def __len__(self) -> int:
        return len(self._drafts)

    def take(self, piece: Mapping[str, Any]) -> Draft:
        """One piece; its parts may be missing, empty, or said again."""
        function = reading.part(piece.get("function"))
        id_, name = _text(piece.get("id")), _text(function.get("name"))
        index = _index(piece.get("index"))
        draft = self._continued(index, id_, name)
        if draft is None:
            draft = Draft()
            self._drafts.append(draft)
            self._newest[index] = self._newest[None] = draft
        draft.id = draft.id or id_
        if name != draft.name and not draft.pieces:
            draft.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            draft.given = arguments
        elif isinstance(arguments, str) and arguments:
            draft.pieces.append(arguments)
        return draft

    def _continued(self, index: object, id_: str, name: str) -> Draft | None:
        """The draft that the piece belongs to; None for the beginning of another."""
        last = self._newest.get(index)
        if last is None:
            return None
        if id_ and last.id:
            # Servers that number all their calls 0 tell them apart by id; those that make up an id for each piece send no name with it.
            return last if id_ == last.id or not name else None
        begins_anew = bool(name) and (index is None or last.is_whole)
        return None if begins_anew else last


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _index(value: object) -> object:
    return value if isinstance(value, int | float | str) else None
