"""Puts the notes on the parts of a text together, so that they fit into one message. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmos.fences import Fenced, fenced
from mmos.prompting.budget import estimate

_NOTHING = re.compile(r"\W*nothing\W*", re.IGNORECASE)
AROUND_NOTE = 24
"""Tokens of what stands around a note."""


@dataclass(frozen=True)
class Note:
    """What was written about a part, or about several neighbours."""

    first: int
    last: int
    text: str
    place: str = ""
    """Of a single part."""

    @property
    def is_empty(self) -> bool:
        """Whether the part has nothing about the task."""
        return not self.text.strip() or _NOTHING.fullmatch(self.text.strip()) is not None

    @property
    def weight(self) -> float:
        return estimate(self.text) + AROUND_NOTE

    @property
    def written(self) -> str:
        """The note as a participant reads it."""
        place = self.place or f"parts {self.first} to {self.last}"
        return f"[{place[0].upper()}{place[1:]}:]\n{fenced(self.text.strip())}"


def useful(notes: Iterable[Note]) -> list[Note]:
    return sorted((note for note in notes if not note.is_empty), key=lambda note: note.first)


def weight_of(notes: Iterable[Note]) -> float:
    return sum(note.weight for note in notes)


def groups_of(notes: Sequence[Note], room: float) -> list[list[Note]]:
    """Neighbouring notes that fit together: at least two in each group, as far as there are two."""
    groups: list[list[Note]] = []
    for note in notes:
        if groups and (len(groups[-1]) < 2 or weight_of(groups[-1]) + note.weight <= room):
            groups[-1].append(note)
        else:
            groups.append([note])
    return groups


def written(notes: Iterable[Note]) -> Fenced:
    return Fenced("\n\n".join(note.written for note in notes))
