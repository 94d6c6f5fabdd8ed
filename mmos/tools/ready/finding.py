"""Lists the files of a folder, and finds lines in them. It leaves out what `.gitignore` names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmos.calls.patience import LENGTH_A_STEP, Misread, Patience
from mmos.calls.patterns import UnknownPattern, literal, search
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.tools.ready.folder import MOST_BYTES, Entry, Folder, Parts
from mmos.tools.ready.ignoring import Rule, fits_path, is_ignored, rules_of
from mmos.tools.ready.texts import lines_of, read_text

MOST_SEEN = 20_000
"""Files and folders that one call looks at."""
MOST_DEPTH = 40
MOST_SEARCHED = 64 << 20
"""Bytes that one search reads."""
FOLDING = "(?i)"
STEPS = 200_000
"""The work that one regular expression may take. One step takes a few microseconds."""
_IGNORES = ".gitignore"
MOST_PATTERNS = 50
_BRACES = re.compile(r"\{([^{}]*)\}")

Rules = tuple[tuple[int, Sequence[Rule]], ...]


@dataclass(frozen=True)
class Found:
    """A line that fits."""

    path: str
    number: int
    text: str


@dataclass(frozen=True)
class Result:
    """What was found. `why`: why it is not all. Empty: it is all."""

    files: Sequence[tuple[str, Entry]] = ()
    lines: Sequence[Found] = ()
    why: str = ""


def listed(folder: Folder, path: str, pattern: str, most: int) -> Result:
    """The files below a path whose name or path fits the pattern."""
    files: list[tuple[str, Entry]] = []
    patterns = _alternatives(pattern)
    for seen, (place, entry) in enumerate(_walk(folder, path), 1):
        if seen > MOST_SEEN:
            return Result(files, why="seen")
        if entry.kind == "file" and _fits(place, patterns):
            if len(files) == most:
                return Result(files, why="found")
            files.append((place, entry))
    return Result(files)


@dataclass(frozen=True)
class Query:
    """What to find in which files."""

    text: str
    regex: bool = False
    path: str = "."
    pattern: str = ""
    most: int = 100

    @property
    def folds(self) -> bool:
        """Whether upper and lower case are the same."""
        return self.regex and self.text.startswith(FOLDING)


def searched(folder: Folder, query: Query) -> Result:
    """The lines that have the text."""
    lines: list[Found] = []
    room, patience = MOST_SEARCHED, Patience(STEPS * LENGTH_A_STEP)
    needed, patterns = _needed(folder.templates, query), _alternatives(query.pattern)
    for seen, (place, entry) in enumerate(_walk(folder, query.path), 1):
        if seen > MOST_SEEN or room < 0:
            return Result(lines=lines, why="seen")
        if entry.kind != "file" or not _fits(place, patterns):
            continue
        room -= min(entry.size, MOST_BYTES)
        try:
            for found in _lines(folder, place, query, needed, patience):
                if len(lines) == query.most:
                    return Result(lines=lines, why="found")
                lines.append(found)
        except Misread:
            return Result(lines=lines, why="work")
    return Result(lines=lines)


def _needed(templates: Templates, query: Query) -> str:
    """What every line that fits has in it; in small letters when the pattern takes both. Raises `ToolError` for a pattern that cannot be matched."""
    if not query.text:
        raise ToolError(templates.fill("argument_empty", argument="text"))
    if not query.regex:
        return query.text
    try:
        search(query.text, "")
        return literal(query.text.removeprefix(FOLDING)).lower() if query.folds else literal(query.text)
    except UnknownPattern as error:
        raise ToolError(templates.fill("regex_unusable", reason=str(error))) from None


def _lines(folder: Folder, place: str, query: Query, needed: str, patience: Patience) -> Iterator[Found]:
    try:
        text = read_text(folder.templates, folder.read(place, tuple(place.split("/"))), place).text
    except ToolError:
        return  # binary, too large, or gone since
    if needed not in (text.lower() if query.folds else text):
        return
    for number, line in enumerate(lines_of(text), 1):
        if needed in (line.lower() if query.folds else line) and (not query.regex or search(query.text, line, patience)):
            yield Found(place, number, line)


def _walk(folder: Folder, path: str) -> Iterator[tuple[str, Entry]]:
    """Everything below a path, folder by folder. Links are not followed."""
    start = folder.parts(path)
    if start and not folder.is_folder(path):
        folder.read(path)  # says what it is, if it is no file
        yield "/".join(start), Entry(start[-1], "file")
        return
    yield from _below(folder, start, _outer_rules(folder, start))


def _below(folder: Folder, parts: Parts, rules: Rules) -> Iterator[tuple[str, Entry]]:
    try:
        entries = folder.entries("/".join(parts) or ".", parts)
    except ToolError:
        if not parts:
            raise
        return  # a folder inside that cannot be read
    rules = (*rules, *_rules_in(folder, parts, entries))
    for entry in entries:
        place = (*parts, entry.name)
        if is_ignored(place, rules, folder=entry.kind == "folder"):
            continue
        yield "/".join(place), entry
        if entry.kind == "folder" and len(place) < MOST_DEPTH:
            yield from _below(folder, place, rules)


def _outer_rules(folder: Folder, start: Parts) -> Rules:
    """The rules of the folders around."""
    rules: Rules = ()
    for depth in range(len(start)):
        rules += tuple(_rules_in(folder, start[:depth], folder.entries("/".join(start[:depth]) or ".", start[:depth])))
    return rules


def _rules_in(folder: Folder, parts: Parts, entries: Sequence[Entry]) -> Iterator[tuple[int, Sequence[Rule]]]:
    if any(entry.name == _IGNORES and entry.kind == "file" for entry in entries):
        try:
            text = read_text(folder.templates, folder.read(_IGNORES, (*parts, _IGNORES)), _IGNORES).text
        except ToolError:
            return
        yield len(parts), rules_of(text)


def _fits(place: str, patterns: Sequence[str]) -> bool:
    """Whether a path, or the name at its end, fits one of the patterns. Without patterns, each does."""
    path = place.split("/")
    return not patterns or any(fits_path(path if "/" in pattern else path[-1:], pattern.split("/")) for pattern in patterns)


def _alternatives(pattern: str) -> list[str]:
    """The patterns that one with braces stands for: `*.{c,h}` is `*.c` and `*.h`. None for an empty one."""
    patterns = [pattern.removeprefix("./").strip("/")] if pattern else []
    while len(patterns) < MOST_PATTERNS and (braces := next(filter(None, map(_BRACES.search, patterns)), None)):
        patterns.remove(braces.string)
        head, tail = braces.string[: braces.start()], braces.string[braces.end() :]
        patterns += [f"{head}{word}{tail}" for word in braces[1].split(",")]
    return patterns[:MOST_PATTERNS]
