"""Reads TOML as plain data, with the line of every key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from mmos.config.document import DEEPEST, MOST_VALUES, Document, read_mapping
from mmos.config.wording import Place, shown
from mmos.errors import ConfigError, Problem

LONGEST_VALUE = 200
"""Lines of one value. Below a longer one, no line of a key is known."""
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")
_HEADER = re.compile(r"\s*\[")


def read_text(text: str, name: str) -> Document:
    text = text.removeprefix("\ufeff")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_problem(str(error), text, name)]) from None
    except RecursionError:
        raise ConfigError([Problem(name, "", f"this is nested more than {DEEPEST} levels deep")]) from None
    if (count := _values(data, 0)) > MOST_VALUES:
        raise ConfigError([Problem(name, "", f"the file has {count:,} values, allowed: at most {MOST_VALUES:,}")])
    document = read_mapping(data, name)
    document.text = text
    document.lines = {(): 1, **dict(reversed([*_lines(text)]))}  # the first line of a key counts
    return document


def _problem(message: str, text: str, name: str) -> Problem:
    at = _AT.search(message)
    line = int(at[1]) if at else len(text.splitlines()) or 1
    return Problem(f"{name}:{line}", "", f"this is not valid TOML: {shown(_AT.sub('', message), 200)}")


def _values(value: Any, depth: int) -> int:
    if depth > DEEPEST or not isinstance(value, dict | list):
        return 1  # what is deeper is refused when it becomes plain data
    return 1 + sum(_values(entry, depth + 1) for entry in (value.values() if isinstance(value, dict) else value))


def _lines(text: str) -> Iterator[tuple[Place, int]]:
    """The places of the keys, and where they begin."""
    around: Place = ()
    counts: dict[Place, int] = {}
    for number, statement, data in _statements(text):
        keys = _path(data)
        if not _HEADER.match(statement):
            yield from (((*around, *keys[:length]), number) for length in range(1, len(keys) + 1))
            continue
        if statement.lstrip().startswith("[["):
            place = _entered(tuple(keys), counts, last=False)
            counts[place] = counts.get(place, 0) + 1
        around = _entered(tuple(keys), counts)
        yield from ((around[:length], number) for length in range(1, len(around) + 1))


def _entered(path: Place, counts: dict[Place, int], *, last: bool = True) -> Place:
    """The path with the number of the newest entry after each list of tables."""
    place: Place = ()
    for position, key in enumerate(path):
        place = (*place, key)
        if place in counts and (last or position < len(path) - 1):
            place = (*place, counts[place] - 1)
    return place


def _path(data: Any) -> list[str]:
    """The dotted key of a statement, which alone gives this data."""
    keys = []
    while isinstance(data, dict) and len(data) == 1:
        ((key, data),) = data.items()
        keys.append(key)
    return keys


def _statements(text: str) -> Iterator[tuple[int, str, Any]]:
    """Each header and each key with its value, and the line where it begins. A value ends where TOML can read it."""
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        read, end = None, start
        for end in range(start, min(len(lines), start + LONGEST_VALUE)):
            statement = "\n".join(lines[start : end + 1])
            try:
                read = tomllib.loads(statement)
                break
            except tomllib.TOMLDecodeError:
                continue
        if read is None:
            return
        if read:
            yield start + 1, statement, read
        start = end + 1
