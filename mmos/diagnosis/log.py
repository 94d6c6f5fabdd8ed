"""What was selected from a log: lines, the passages they stand in, and their size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Line(NamedTuple):
    """A line as people and models may see it: secrets masked, control codes and the time stamp of a CI runner left out, long text cut."""

    number: int
    """Counted from 1."""
    text: str


@dataclass(frozen=True)
class Passage:
    """Lines that stand together. Repeated lines are left out, so a passage can have fewer lines than its numbers span."""

    first: int
    last: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Selection:
    """The part of a log that a reader with little room should see."""

    passages: tuple[Passage, ...]
    best: tuple[Line, ...]
    """The lines that most likely name the cause, the likeliest first."""
    lines: int
    """How many lines the whole log has."""
    size: int
    """How many bytes the whole log has."""
    tokens: int
    """An estimate for the selected lines as they stand in the log: four characters a token."""

    def ranges(self) -> list[tuple[int, int]]:
        """The numbers of the selected lines, the first and the last of each range."""
        found: list[tuple[int, int]] = []
        for line in self._all():
            if found and found[-1][1] == line.number - 1:
                found[-1] = (found[-1][0], line.number)
            else:
                found.append((line.number, line.number))
        return found

    def text(self) -> str:
        """The selected lines with their numbers, and a mark for each gap."""
        width = len(str(self.lines))
        shown: list[str] = []
        before = 0
        for line in self._all():
            shown += _gap(line.number - before - 1, width)
            shown.append(f"{line.number:>{width}} | {line.text}")
            before = line.number
        return "\n".join([*shown, *_gap(self.lines - before, width)])

    def _all(self) -> Iterator[Line]:
        return (line for passage in self.passages for line in passage.lines)


def _gap(lines: int, width: int) -> list[str]:
    return [f"{'':>{width}} … {lines} {'line' if lines == 1 else 'lines'} not shown"] if lines > 0 else []
