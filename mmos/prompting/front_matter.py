"""Reads the head of a text of `prompts/`: front matter in YAML between two lines `---`, or comments. Models do not get it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mmos.config.wording import perhaps, shown

KEYS = ("reader", "use", "places", "about", "name", "version", "description")
"""The keys that front matter may have. MMOS reads the first three, and only in the built-in files."""

_FRONT = re.compile(r"\s*^---[ \t]*\r?\n(?P<keys>.*?)^---[ \t]*(?:\r?\n\s*|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"[A-Za-z_]\w*:(?:\s|$)")
_OTHER = re.compile(r"[ \t]*(?:#|$)|[ \t-]")
_LINE = re.compile(r"(?P<within> {2})?(?P<key>\w+):(?: (?P<value>[^\s'\"#&*!|>%@`{\[\]},?-].*|'.*'))?")
_COMMENTS = re.compile(r"\A\s*(?:<!--(?P<first>.*?)-->\s*)(?:<!--.*?-->\s*)*", re.DOTALL)


class Fault(NamedTuple):
    """What is wrong in a line of front matter."""

    line: int
    message: str


def without_head(text: str) -> str:
    """The text that models get."""
    front = _found(text)
    rest = text[front.end() :] if front else text
    comments = _COMMENTS.match(rest)
    return rest[comments.end() :] if comments else rest


def described(text: str) -> Mapping[str, Any]:
    """The keys `reader`, `use` and `places` of a built-in text. Comments say the same in the lines `READER: USE` and `PLACE: MEANING`."""
    if front := _found(text):
        return _read(front["keys"])
    comments = _COMMENTS.match(text)
    (reader, use), *places = [line.split(": ", 1) for line in (comments["first"] if comments else "").strip().splitlines()]
    return {"reader": reader, "use": use, "places": dict(places)}


def faults(text: str, places: Mapping[str, str]) -> Iterator[Fault]:
    """What is wrong with the front matter of a text that may have these places."""
    front = _found(text)
    if front is None:
        return
    first = text.count("\n", 0, front.start("keys")) + 1
    try:
        keys = _read(front["keys"])
    except ValueError as error:
        yield Fault(first, f"this front matter is not YAML: {shown(str(error), 120)}")
        return
    for key in map(str, keys):
        if key not in KEYS:
            message = f"'{shown(key)}' is not a key of front matter{perhaps(key, KEYS) or '.'} Allowed: {', '.join(KEYS)}"
            yield Fault(first + _place(front["keys"], key), message)
    named = keys.get("places") or {}
    for place in map(str, named if isinstance(named, (dict, list)) else [named]):
        if place not in places:
            message = f"'{shown(place)}' is not a place here{perhaps(place, places) or '.'} Allowed: {', '.join(places) or 'none'}"
            yield Fault(first + _place(front["keys"], place), message)


def _found(text: str) -> re.Match[str] | None:
    """The front matter, also below comments. A text may also begin with a line `---` that is none: then no key follows."""
    comments = _COMMENTS.match(text)
    front = _FRONT.match(text, comments.end() if comments else 0)
    lines = front["keys"].splitlines() if front else []
    has_keys = any(map(_KEY.match, lines)) and all(_KEY.match(line) or _OTHER.match(line) for line in lines)
    return front if has_keys else None


def _place(keys: str, key: str) -> int:
    """In which line a key stands."""
    name = re.escape(key)
    found = re.search(rf"^[ \t-]*['\"]?{name}\b", keys, re.MULTILINE) or re.search(rf"\b{name}\b", keys)
    return keys.count("\n", 0, found.start()) if found else 0


def _read(keys: str) -> dict[str, Any]:
    """The keys. Most front matter has only simple lines, which this reads a hundred times as fast as a parser of YAML."""
    result: dict[str, Any] = {}
    within: dict[str, str] = {}
    for line in keys.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or (
            found["value"] is not None and (": " in found["value"] or " #" in found["value"]) and found["value"][0] != "'"
        ):
            return _read_yaml(keys)
        value = found["value"]
        if value is not None and value[0] == "'":
            value = value[1:-1].replace("''", "'")
        if found["within"]:
            within[found["key"]] = value or ""
        elif value is None:
            result[found["key"]] = within = {}
        else:
            result[found["key"]] = value
    return result


def _read_yaml(keys: str) -> dict[str, Any]:
    import yaml  # few texts need it

    try:
        read = yaml.safe_load(keys)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(read, dict):
        raise ValueError("it has no keys")  # noqa: TRY004  # for the caller it is a wrong text
    return read
