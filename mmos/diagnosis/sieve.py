"""Keeps what may matter of a log of any size: its head, its tail, and the surroundings of lines that may name a failure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from mmos.diagnosis.vocabulary import Vocabulary, outspoken, patterns

HEAD = 64 * 1024
HEAD_LINES = 1000
TAIL = 2 * 1024 * 1024
TAIL_LINES = 20_000
BEFORE, AFTER = 12, 30
"""The lines that are kept around a line that may name a failure."""
EXCERPTS = 200
EXCERPT_BYTES = 4 * 1024 * 1024
"""All excerpts together."""
LONGEST = 4096
"""More bytes of one line are counted in an excerpt, but not kept."""
STEP = b"##[group]Run "
STEPS = 2000
FORMS = 50_000
REPEATS = 6
"""So often the surroundings of lines of one form are kept."""
WEIGHED, WEIGHED_A_BLOCK = 5_000, 12
"""So many different lines are weighed before the tail, and so many more for each block, whatever the log contains."""
MANY = 500
"""With more new lines in a block, only few words are searched."""
AGAIN = 0.8
"""What is left of the weight of a pattern each time it is seen again."""
LIGHT = 3.0
"""Lines that weigh less get no excerpt."""
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"


class Raw(NamedTuple):
    """A line as it stands in the log. Of a very long one only the beginning is kept."""

    number: int
    data: bytes
    length: int
    """In bytes, all of the line."""


class _Excerpt(NamedTuple):
    weight: float
    lines: list[Raw]
    until: int
    """The number of its last line."""


class Sieve:
    """Takes blocks of whole lines, and has the lines worth a closer look in the end.

    Most lines of a long log are like a line before. So lines are compared without their digits first, and only new ones are looked at.
    """

    def __init__(self, weigh: Callable[[bytes], float]) -> None:
        self._weigh = weigh
        self.lines = 0
        self._seen: set[bytes] = set()
        self._counts: Counter[bytes] = Counter()
        self._telling: dict[bytes, float] = {}
        self._weights: dict[bytes, float] = {}
        self._patience = WEIGHED
        self._floor = 0.0
        self._head: list[Raw] = []
        self._head_size = 0
        self._steps: list[Raw] = []
        self._tail: deque[tuple[int, list[bytes]]] = deque()
        self._tail_size = 0
        self._early: list[_Excerpt] = []
        self._early_size = 0
        self._late: deque[_Excerpt] = deque(maxlen=EXCERPTS // 4)
        self._open: list[_Excerpt] = []
        self._before: list[Raw] = []
        self._varied = _DIGITS
        self._vocabulary = Vocabulary()

    def take(self, block: bytes) -> None:
        """Look at the lines of the block. It ends with the end of a line, which is left out."""
        first = self.lines + 1
        lines = block.split(b"\n")
        keys = block.translate(None, self._varied).split(b"\n")
        self.lines += len(lines)
        self._keep_head(first, lines, len(block))
        self._keep_steps(first, block)
        self._finish(first, lines)
        found = set(keys)
        fresh = found - self._seen
        many = len(fresh) > MANY
        self._remember(fresh, len(lines))
        if fresh:
            self._look(fresh, keys, lines, many)
        relevant = found & self._telling.keys()
        if relevant:
            self._keep_excerpts(first, lines, keys, relevant)
        self._before = _raws(first, lines, len(lines) - BEFORE, len(lines))
        self._keep_tail(first, lines, len(block))

    def kept(self) -> list[Raw]:
        """The lines that were kept, in order."""
        kept = {raw.number: raw for raw in (*self._head, *self._steps)}
        for excerpt in (*self._early, *self._late, *self._open):
            kept.update((raw.number, raw) for raw in excerpt.lines)
        for first, lines in self._tail:
            kept.update((raw.number, raw) for raw in _raws(first, lines, 0, len(lines), longest=LONGEST * 4))
        return [kept[number] for number in sorted(kept)]

    def _keep_head(self, first: int, lines: list[bytes], size: int) -> None:
        if self._head_size < HEAD:
            self._head += _raws(first, lines, 0, min(len(lines), HEAD_LINES - len(self._head)))
            self._head_size += size

    def _keep_steps(self, first: int, block: bytes) -> None:
        """Keep the lines that begin a step: a failure belongs to the step before it."""
        at, number = 0, first
        while len(self._steps) < STEPS and (found := block.find(STEP, at)) >= 0:
            start = block.rfind(b"\n", 0, found) + 1
            end = block.find(b"\n", found)
            number += block.count(b"\n", at, start)
            at = start
            line = block[start : end if end >= 0 else len(block)]
            self._steps.append(Raw(number, line[:LONGEST], len(line)))
            if end < 0:
                return
            at, number = end + 1, number + 1

    def _keep_tail(self, first: int, lines: list[bytes], size: int) -> None:
        if len(lines) > TAIL_LINES:
            first, lines = first + len(lines) - TAIL_LINES, lines[-TAIL_LINES:]
            size = sum(map(len, lines)) + len(lines) - 1
        self._tail.append((first, lines))
        self._tail_size += size
        while len(self._tail) > 1 and (self._tail_size > TAIL or self.lines - self._tail[1][0] >= TAIL_LINES):
            _, dropped = self._tail.popleft()
            self._tail_size -= sum(map(len, dropped)) + len(dropped) - 1

    def _look(self, fresh: set[bytes], keys: list[bytes], lines: list[bytes], many: bool) -> None:
        """Weigh the new lines that contain a telling word, and of lines with one pattern the first ones."""
        order = []
        for place, key in enumerate(keys):
            if key in fresh:
                fresh.remove(key)
                order.append(place)
        new = [lines[place] for place in order]
        found = outspoken(new) if many else self._vocabulary.telling(new)
        self._patience += WEIGHED_A_BLOCK
        for (index, _), pattern in zip(found, patterns([words for _, words in found]), strict=True):
            weight = self._weights.get(pattern)
            if weight is None and self._patience:
                self._patience -= 1
                weight = self._weigh(lines[order[index]])
            if weight is not None:
                self._weights[pattern] = weight * AGAIN
                if weight >= LIGHT:
                    self._telling[keys[order[index]]] = weight

    def _keep_excerpts(self, first: int, lines: list[bytes], keys: list[bytes], relevant: set[bytes]) -> None:
        seen = self._counts
        for index, key in enumerate(keys):
            if key not in relevant:
                continue
            seen[key] += 1
            weight = self._telling[key] / seen[key]
            if seen[key] > REPEATS:
                relevant.discard(key)
            elif weight <= self._floor:
                continue
            excerpt = self._excerpt(first, lines, index, weight)
            if seen[key] > REPEATS:
                self._late.append(excerpt)
            else:
                self._early.append(excerpt)
                self._early_size += sum(len(raw.data) for raw in excerpt.lines)
            if excerpt.until > first + len(lines) - 1:
                self._open.append(excerpt)
        if len(self._early) > 2 * EXCERPTS or self._early_size > EXCERPT_BYTES:
            self._drop_lightest()

    def _excerpt(self, first: int, lines: list[bytes], index: int, weight: float) -> _Excerpt:
        before = self._before[index:] if index < BEFORE else []
        return _Excerpt(weight, [*before, *_raws(first, lines, index - BEFORE, index + AFTER + 1)], first + index + AFTER)

    def _finish(self, first: int, lines: list[bytes]) -> None:
        """Add the lines that belong to excerpts of the block before."""
        for excerpt in self._open:
            excerpt.lines.extend(_raws(first, lines, 0, excerpt.until - first + 1))
        self._open = [excerpt for excerpt in self._open if excerpt.until > first + len(lines) - 1]

    def _drop_lightest(self) -> None:
        heaviest = sorted(self._early, key=lambda excerpt: -excerpt.weight)[:EXCERPTS]
        sizes = [sum(len(raw.data) for raw in excerpt.lines) for excerpt in heaviest]
        while sum(sizes) > EXCERPT_BYTES // 2:
            sizes.pop()
            heaviest.pop()
        self._early, self._early_size = heaviest, sum(sizes)
        self._floor = heaviest[-1].weight

    def _remember(self, fresh: set[bytes], lines: int) -> None:
        if len(fresh) * 2 > lines > MANY and self._varied == _DIGITS:
            self._varied = _HEX
            self._seen.clear()
        if len(self._seen) > FORMS:
            self._seen = set(self._telling)
        if len(self._telling) > FORMS or len(self._weights) > FORMS:
            self._telling.clear()
            self._weights.clear()
            self._counts.clear()
        self._seen |= fresh


def _raws(first: int, lines: list[bytes], start: int, stop: int, *, longest: int = LONGEST) -> list[Raw]:
    start = max(0, start)
    return [Raw(first + start + place, line[:longest], len(line)) for place, line in enumerate(lines[start : max(start, stop)])]
