"""Collects what a file of another tool means in our keys, with the place in the file that each key comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import yaml

from mmos.config.document import Document, in_order
from mmos.config.environment import escaped
from mmos.config.wording import Place, listed, nearest, perhaps, shown, with_type
from mmos.errors import ConfigError, Problem

TOP = "orchestration"

Meaning = TypeVar("Meaning")


@dataclass
class Draft:
    """Our keys, as far as the file has been read."""

    file: Document
    tool: str
    """The tool that the file belongs to."""
    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Place, Place] = field(default_factory=dict)
    """Where our keys come from."""
    comments: dict[Place, str] = field(default_factory=dict)
    """What a reader of our keys should know, by our places."""
    notes: list[Problem] = field(default_factory=list)
    """Warnings: what has no equivalent."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def root(self) -> Part:
        return Part(self.file.data, (), self)

    def put(self, place: Place, value: Any, origin: Part | None = None, why: str = "") -> None:
        """Set a key of ours. A number in `place` is the next entry of a list."""
        around: Any = self.data
        for step, following in pairwise(place):
            around = _entered(around, step, [] if isinstance(following, int) else {})
        if isinstance(around, list):
            around.append(value)
        else:
            around[place[-1]] = value
        if origin is not None:
            self.origins[(TOP, *place)] = origin.place
        if why:
            self.comments[(TOP, *place)] = why

    def complain(self, place: Place, message: str) -> None:
        self.problems.append(self.file.problem(place, message))

    def note(self, place: Place, message: str) -> None:
        self.notes.append(self.file.problem(place, message))

    def document(self) -> Document:
        """The file in our keys. Its problems and lines are those of the file."""
        problems = [*self.file.problems, *self.problems]
        if problems:
            raise ConfigError(in_order(problems))
        data = {TOP: self.data}
        lines = {(): self.file.lines.get((), 1), **{place: line for place, line in self._lines() if line}}
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)
        return Document(self.file.name, text, data, lines, origins=self.origins, notes=self.notes, comments=self.comments, tool=self.tool)

    def _lines(self) -> Iterator[tuple[Place, int]]:
        for ours, theirs in self.origins.items():
            number = self.file.where(theirs).rpartition(":")[2]
            yield ours, int(number) if number.isdigit() else 0


def _entered(around: Any, step: str | int, empty: Any) -> Any:
    """What lies below a step. It is made if it is not there."""
    if isinstance(around, list):
        if step == len(around):
            around.append(empty)
        return around[int(step)]
    return around.setdefault(step, empty)


@dataclass(frozen=True)
class Part:
    """A value of a file, with its place. A value that is not there is None."""

    value: Any
    place: Place
    draft: Draft

    def __getitem__(self, key: str) -> Part:
        return Part(self.value.get(key) if isinstance(self.value, dict) else None, (*self.place, key), self.draft)

    def __bool__(self) -> bool:
        return self.value is not None

    def first(self, *keys: str) -> Part:
        """The part at the first of these keys that is there. If none is, at the first key."""
        return next((part for part in map(self.__getitem__, keys) if part), self[keys[0]])

    def complain(self, message: str) -> None:
        self.draft.complain(self.place, message)

    def note(self, message: str) -> None:
        self.draft.note(self.place, message)

    def wrong(self, allowed: str, near: str = "") -> None:
        self.complain(f"found {with_type(self.value)}, allowed: {allowed}{near}")

    def only(self, *keys: str) -> None:
        """Warn of other keys in this mapping."""
        for key in self.value if isinstance(self.value, dict) else ():
            if key not in keys:
                near = nearest(str(key), keys, 0.8)
                hint = f"; did you mean '{near}'?" if near else ""
                self[key].note(f"'{shown(str(key))}' is no key that MMOS knows in a file of {self.draft.tool}, so it does nothing{hint}")

    def text(self) -> str:
        """Empty: there is none, or no text."""
        if isinstance(self.value, str) or not self:
            return self.value or ""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return str(self.value)  # a name such as 3.2, which YAML reads as a number
        self.wrong("text; put it in quotes")
        return ""

    def flag(self) -> bool | None:
        if self and not isinstance(self.value, bool):
            self.wrong("true or false")
        return self.value if isinstance(self.value, bool) else None

    def entries(self) -> list[Part]:
        """The entries of a list. One value stands for a list of one."""
        values = self.value if isinstance(self.value, list) else [self.value] if self else []
        parts = [Part(value, (*self.place, index), self.draft) for index, value in enumerate(values)]
        return parts if isinstance(self.value, list) else [Part(self.value, self.place, self.draft)] if self else []

    def named(self) -> list[tuple[str, Part]]:
        """The entries of a mapping."""
        if isinstance(self.value, dict):
            return [(str(key), self[key]) for key in self.value]
        if self:
            self.wrong("a mapping of names")
        return []

    def one_of(self, words: Mapping[str, Meaning]) -> Meaning | None:
        """What a word means. Capitals do not count, and neither do `-`, `.` and blanks in place of `_`."""
        if not self:
            return None
        word = spelled(self.value) if isinstance(self.value, str) else ""
        if word not in words:
            self.wrong(listed(words), perhaps(word, words) if word else "")
        return words.get(word)

    def copy(self, place: Place, key: str = "") -> None:
        """Set our key to this value, if it is there."""
        if self:
            self.draft.put((*place, key or str(self.place[-1])), _unreferring(self.value), self)


def spelled(word: str) -> str:
    return "".join("_" if sign in "-. " else sign for sign in word.strip().casefold())


def _unreferring(value: Any) -> Any:
    """`${` means nothing in files of other tools."""
    return escaped(value) if isinstance(value, str) else value
