"""Assembles tool calls that arrive in pieces: by index, by id, or complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.hosts.growing import json_or_none


@dataclass
class Draft:
    """A call that is still being written."""

    index: object
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    given: Mapping[str, Any] | None = None
    """Arguments that came as an object, against the custom."""

    @property
    def arguments(self) -> Any:
        return "".join(self.pieces) if self.given is None else self.given

    @property
    def is_whole(self) -> bool:
        return self.given is not None or (bool(self.pieces) and isinstance(json_or_none("".join(self.pieces)), dict))


class Drafts:
    """All calls of an answer, in the order in which they began."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._drafts)

    def __len__(self) -> int:
        return len(self._drafts)

    def take(self, piece: Mapping[str, Any]) -> None:
        """One piece; its parts may be missing, empty, or said again."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        id_, name = _text(piece.get("id")), _text(function.get("name"))
        draft = self._continued(piece.get("index"), id_, name)
        if draft is None:
            draft = Draft(piece.get("index"))
            self._drafts.append(draft)
        draft.id = draft.id or id_
        if name != draft.name and not draft.pieces:
            draft.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            draft.given = arguments
        elif isinstance(arguments, str) and arguments:
            draft.pieces.append(arguments)

    def _continued(self, index: object, id_: str, name: str) -> Draft | None:
        """The draft that the piece belongs to; None for the beginning of another."""
        known = [draft for draft in self._drafts if index is None or draft.index == index]
        if not known:
            return None
        last = known[-1]
        if id_ and last.id:
            # Servers that number all their calls 0 tell them apart by id; those that make up an id for each piece send no name with it.
            return last if id_ == last.id or not name else None
        begins_anew = bool(name) and (index is None or last.is_whole)
        return None if begins_anew else last


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
