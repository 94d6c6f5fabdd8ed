"""Applies the changes that a model lists instead of a file: a unified diff, or SEARCH and REPLACE blocks. They fit exactly, or they are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mmos.rewriting.lines import NO_END, lines_of

_BLOCK = re.compile(r"^<{5,9} ?SEARCH[^\n]*\n(.*?)^={5,9}[ \t]*\n(.*?)^>{5,9} ?REPLACE[ \t]*$", re.DOTALL | re.MULTILINE)
_BEGIN = re.compile(r"^<{5,9} ?SEARCH", re.MULTILINE)
_HEAD = re.compile(r"^@@(?: -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@.*| .*|)$")
_DIFF = re.compile(r"\A\s*(?:diff --git [^\n]*\n(?:index [^\n]*\n)?)?(?:--- [^\n]*\n\+\+\+ [^\n]*\n)?@@[^\n]*\n")


class NotApplied(Exception):
    """A change does not fit the text."""


def has_blocks(text: str) -> bool:
    return _BEGIN.search(text) is not None


def is_diff(text: str) -> bool:
    return _DIFF.match(text) is not None


def replaced(old: str, answer: str) -> str:
    """The text with each SEARCH part replaced. Each must stand in the text exactly once."""
    blocks = _BLOCK.findall(answer)
    if len(blocks) != len(_BEGIN.findall(answer)):
        raise NotApplied("A SEARCH block has no end.")
    text = old
    for search, replacement in blocks:
        text = _once(text, search, replacement)
    return text


def _once(text: str, search: str, replacement: str) -> str:
    if not search.strip():
        if text.strip():
            raise NotApplied("A SEARCH block is empty, so it does not say what is replaced.")
        return replacement
    whole = text if text.endswith("\n") else f"{text}\n"
    places = [match.start() for match in re.finditer(rf"^{re.escape(search)}", whole, re.MULTILINE)]
    if len(places) != 1:
        count = "nowhere" if not places else f"{len(places)} times"
        raise NotApplied(f"A SEARCH block stands in the file {count}: it must be copied exactly and stand there once.")
    return whole[: places[0]] + replacement + whole[places[0] + len(search) :]


# ---------------------------------------------------------------- unified diffs


@dataclass
class _Change:
    """One hunk: the lines that must be there, and those that come instead."""

    line: int | None
    """Where the model says it begins, from 1."""
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def patched(old: str, diff: str) -> str:
    """The text with the changes of a diff. The lines around each change must stand in the text; wrong line numbers do no harm."""
    lines, result, place = [line.rstrip("\n") for line in lines_of(old)], list[str](), 0
    changes = [change for change in _changes(diff) if change.before != change.after]
    if not changes:
        raise NotApplied("The diff changes nothing.")
    for change in changes:
        start = _place(lines, change, place)
        result += lines[place:start] + change.after
        place = start + len(change.before)
    return "".join(f"{line}\n" for line in [*result, *lines[place:]])


def _changes(diff: str) -> Iterator[_Change]:
    lines = diff.rstrip("\n").split("\n")
    change: _Change | None = None
    for number, line in enumerate(lines):
        head = _HEAD.match(line)
        if head is not None:
            if change is not None:
                yield change
            change = _Change(int(head[1]) if head[1] else None)
        elif change is None:
            continue  # the names of the files
        elif _begins_file(lines[number : number + 3]):
            raise NotApplied("The diff changes more than one file.")
        elif line != NO_END:
            _add(change, line)
    if change is not None:
        yield change


def _begins_file(lines: Sequence[str]) -> bool:
    """Whether these lines begin another file. One alone may also take a line away that begins with `--`."""
    return len(lines) == 3 and all(line.startswith(sign) for line, sign in zip(lines, ("--- ", "+++ ", "@@"), strict=True))


def _add(change: _Change, line: str) -> None:
    mark, text = line[:1], line[1:]
    if mark not in ("+", "-", " ", ""):
        raise NotApplied(f"A line of the diff begins with {mark!r}: only space, + and - are allowed.")
    if mark != "+":
        change.before.append(text)
    if mark != "-":
        change.after.append(text)


def _place(lines: Sequence[str], change: _Change, least: int) -> int:
    """Where the lines of a change stand: once, or where the diff says."""
    if not change.before:
        if change.line is None or change.line > len(lines) + 1:
            raise NotApplied("A change of the diff has no lines that say where it belongs.")
        return max(least, change.line)  # `-5,0` means after line 5
    count = len(change.before)
    places = [start for start in range(least, len(lines) - count + 1) if list(lines[start : start + count]) == change.before]
    if len(places) == 1:
        return places[0]
    if change.line is not None and change.line - 1 in places:
        return change.line - 1
    where = "stand nowhere in the file" if not places else f"stand in the file {len(places)} times"
    raise NotApplied(f"The lines of a change {where}: they must be copied exactly. The first is {change.before[0][:80]!r}.")
