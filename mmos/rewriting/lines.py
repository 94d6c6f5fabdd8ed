"""Compares the lines of two texts: which lines stay, which hunks change, and what the text is when only some hunks are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

AROUND = 3
"""Unchanged lines that are shown around a change."""
NO_END = "\\ No newline at end of file"

Step = tuple[str, int, int, int, int]
"""What happens to some lines, as `difflib` says it: the kind, the old lines and the new lines."""


@dataclass(frozen=True)
class Hunk:
    """Changes that are near each other, with the lines around them."""

    old: int
    """The number of its first old line, from 0."""
    old_count: int
    new: int
    new_count: int
    lines: tuple[str, ...]
    """Each with ` `, `-` or `+` before it."""
    steps: tuple[Step, ...]

    @property
    def head(self) -> str:
        return f"@@ -{_range(self.old, self.old_count)} +{_range(self.new, self.new_count)} @@"

    @property
    def added(self) -> int:
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.startswith("-") for line in self.lines)


def lines_of(text: str) -> list[str]:
    """The lines of a text. The end of each line belongs to it, so a last line without one is another line."""
    lines = text.split("\n")
    whole = [f"{line}\n" for line in lines[:-1]]
    return [*whole, lines[-1]] if lines[-1] else whole


def matches(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The numbers of lines that stay, in the old and in the new text."""
    for kind, first, first_end, second, _ in _steps(before, after):
        if kind == "equal":
            yield from ((first + place, second + place) for place in range(first_end - first))


def pairs(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The numbers of lines that stay or that stand in the place of each other."""
    for kind, first, first_end, second, second_end in _steps(before, after):
        if kind in ("equal", "replace"):
            yield from zip(range(first, first_end), range(second, second_end), strict=False)


def hunks(before: str, after: str, around: int = AROUND) -> list[Hunk]:
    """What changes from one text to the other."""
    old, new = lines_of(before), lines_of(after)
    return [_hunk(old, new, group) for group in _groups(_steps(old, new), around)]


def taken(before: str, after: str, found: Sequence[Hunk], chosen: Collection[int]) -> str:
    """The old text with only these hunks changed. `chosen`: their numbers, from 0."""
    old, new = lines_of(before), lines_of(after)
    parts: list[str] = []
    place = 0
    for number, hunk in enumerate(found):
        if number not in chosen:
            continue
        for kind, first, first_end, second, second_end in hunk.steps:
            if kind != "equal":
                parts += old[place:first] + new[second:second_end]
                place = first_end
    return _joined([*parts, *old[place:]])


def unified(name: str, before: str, after: str) -> list[str]:
    """The lines of a diff of the usual kind. Empty: nothing changes."""
    found = hunks(before, after)
    if not found:
        return []
    return [f"--- a/{name}", f"+++ b/{name}", *(line for hunk in found for line in (hunk.head, *hunk.lines))]


def _joined(lines: Sequence[str]) -> str:
    """Lines as a text: a line without an end that is no longer the last one gets one."""
    return "".join(line if line.endswith("\n") or number == len(lines) else f"{line}\n" for number, line in enumerate(lines, 1))


def _range(start: int, count: int) -> str:
    return f"{start + (count > 0)}" if count == 1 else f"{start + (count > 0)},{count}"


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Step]) -> Hunk:
    lines: list[str] = []
    for kind, first, first_end, second, second_end in group:
        if kind == "equal":
            lines += _marked(" ", old[first:first_end])
        else:
            lines += [*_marked("-", old[first:first_end]), *_marked("+", new[second:second_end])]
    (_, start, _, new_start, _), (_, _, end, _, new_end) = group[0], group[-1]
    return Hunk(start, end - start, new_start, new_end - new_start, tuple(lines), tuple(group))


def _marked(mark: str, lines: Sequence[str]) -> list[str]:
    marked: list[str] = []
    for line in lines:
        marked.append(mark + line.removesuffix("\n"))
        if not line.endswith("\n"):
            marked.append(NO_END)
    return marked


def _steps(before: Sequence[str], after: Sequence[str]) -> list[Step]:
    """What turns the lines into the others. Equal lines at both ends are left out of the search, which makes it fast for small changes."""
    head = _same(before, after)
    tail = _same(before[head:][::-1], after[head:][::-1])
    middle = SequenceMatcher(None, before[head : len(before) - tail], after[head : len(after) - tail], autojunk=False).get_opcodes()
    steps: list[Step] = [("equal", 0, head, 0, head)] if head else []
    steps += [(kind, a + head, b + head, c + head, d + head) for kind, a, b, c, d in middle]
    if tail:
        steps.append(("equal", len(before) - tail, len(before), len(after) - tail, len(after)))
    return steps


def _same(before: Sequence[str], after: Sequence[str]) -> int:
    """How many lines are the same at the begin."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return count


def _groups(steps: Sequence[Step], around: int) -> Iterator[list[Step]]:
    """Changes that are near each other, with equal lines around them."""
    group: list[Step] = []
    for kind, first, first_end, second, second_end in steps:
        if kind != "equal":
            group.append((kind, first, first_end, second, second_end))
            continue
        after = min(around, first_end - first)
        if group and first_end - first <= 2 * around and first_end != steps[-1][2]:
            group.append((kind, first, first_end, second, second_end))
            continue
        if group:
            yield [*group, (kind, first, first + after, second, second + after)]
        before = min(around, first_end - first)
        group = [(kind, first_end - before, first_end, second_end - before, second_end)]
    if any(kind != "equal" for kind, *_ in group):
        yield group
