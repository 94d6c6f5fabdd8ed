"""Reads parts of a log again: single lines, and the lines that match a pattern. A log may be far larger than memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmos.calls.patience import LENGTH_A_STEP, Misread, Patience
from mmos.calls.patterns import literal, search
from mmos.diagnosis.cleaning import clean
from mmos.diagnosis.log import Line
from mmos.diagnosis.masking import MASK, mask

BLOCK = 1 << 20
MOST_FOUND = 20
MOST_SHOWN = 80
MOST_LENGTH = 8_000
"""Characters of the lines that a model gets at once."""
_STYLES = re.compile(rb"\x1b\[[0-9;]*[mK]")
_KEY = re.compile(r"[A-Za-z0-9+/]{40,100}={0,2}|[A-Za-z0-9+/]{4,100}={1,2}")
"""A line that may be the inside of a key: the lines around it, which would tell, are not read."""
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
STEPS = 400_000
"""The work that one search may take. One step takes a few microseconds."""


@dataclass(frozen=True)
class Part:
    """Lines of a log, and the number to go on with if they are not all."""

    lines: tuple[Line, ...]
    next: int | None = None


class Log:
    """A log that can be read from the beginning any number of times."""

    def __init__(self, blocks: Callable[[], Iterable[bytes]]) -> None:
        self._blocks = blocks

    @classmethod
    def of(cls, source: str | bytes | Path) -> Log:
        """The log in a text, or in a file. Of a file that grows, what it has now."""
        if isinstance(source, Path):
            size = source.stat().st_size
            return cls(lambda: _blocks_of(source, size))
        data = source.encode(errors="replace") if isinstance(source, str) else source
        return cls(lambda: (data,))

    def blocks(self) -> Iterable[bytes]:
        return self._blocks()

    def all(self) -> list[Line]:
        """Every line. For small logs."""
        return [_line(number, raw) for number, raw in self._lines(1, None)]

    def view(self, first: int, last: int) -> Part:
        """The lines with these numbers, as many as a model may read at once."""
        last = max(first, last)
        lines = tuple(_line(number, raw) for number, raw in self._lines(first, min(last, first + MOST_SHOWN - 1)))
        shown = _fitting(lines)
        end = shown[-1].number if shown else last
        cut = len(shown) < len(lines) or (last > end and len(lines) == MOST_SHOWN)
        return Part(shown, end + 1 if cut else None)

    def lines(self, numbers: Iterable[int]) -> dict[int, Line]:
        """The lines with these numbers, as far as the log has them."""
        wanted = sorted(number for number in set(numbers) if number > 0)
        found: dict[int, Line] = {}
        if wanted:
            for number, raw in self._lines(wanted[0], wanted[-1]):
                if number in wanted:
                    found[number] = _line(number, raw)
        return found

    def search(self, pattern: str, first: int = 1) -> Part:
        """The lines from `first` that match. Raises UnknownPattern for a pattern that cannot be matched in bounded time."""
        folding = pattern if pattern.startswith("(?i)") else f"(?i){pattern}"
        search(folding, "")  # an unknown pattern is refused before anything is read
        needed, patience = literal(pattern).lower().encode(), Patience(STEPS * LENGTH_A_STEP)
        found: list[Line] = []
        for number, raw in self._lines(first, None, having=needed):
            line = _line(number, raw)
            try:
                matches = search(folding, line.text, patience)
            except Misread:
                return Part(_fitting(found), number)
            if matches:
                found.append(line)
            if len(found) >= MOST_FOUND:
                return Part(_fitting(found), number + 1)
        return Part(_fitting(found))

    def has(self, text: str) -> bool:
        """Whether a text is anywhere in the log, in upper or lower case."""
        wanted, before = text.lower().encode(errors="replace"), b""
        for block in self._blocks():
            joined = before + _STYLES.sub(b"", block).lower()
            if wanted in joined:
                return True
            before = joined[-len(wanted) :]
        return False

    def _lines(self, first: int, last: int | None, *, having: bytes = b"") -> Iterator[tuple[int, bytes]]:
        """The lines in this range as they are in the log. `having`: only those that may have this text, in lower case."""
        number = 1
        for block in _whole_lines(self._blocks()):
            after = number + block.count(b"\n") + (not block.endswith(b"\n"))
            if after > first and (not having or having in block.lower()):
                for at, raw in zip(range(number, after), block.split(b"\n"), strict=False):
                    if last is not None and at > last:
                        return
                    if at >= first and having in raw.lower():
                        yield at, raw
            number = after
            if last is not None and number > last:
                return


def _line(number: int, raw: bytes) -> Line:
    text = clean(raw)
    return Line(number, MASK if _KEY.fullmatch(text.strip()) and not _HEX.fullmatch(text.strip()) else mask(text))


def _fitting(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The first lines, as many as a model may read at once: at least one."""
    room, shown = MOST_LENGTH, 0
    for line in lines:
        room -= len(line.text)
        if room < 0 and shown:
            break
        shown += 1
    return tuple(lines[:shown])


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that end where lines end. A line that is longer than a block is joined."""
    rest: list[bytes] = []
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, block[:cut]])
            rest = [block[cut:]] if cut < len(block) else []
        else:
            rest.append(block)
    if last := b"".join(rest):
        yield last


def _blocks_of(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(BLOCK, size))):
            size -= len(block)
            yield block
