"""Words the parts of messages: a value that was found, a place in the file, the nearest valid spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

Place = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""

_LONGEST = 60
_MOST_LISTED = 60


class FromEnvironment(str):
    """A text that contains a value of `${NAME}`. It may be a secret, so MMOS never prints it."""

    __slots__ = ("names", "unset", "values")
    names: tuple[str, ...]
    unset: tuple[str, ...]
    values: tuple[str, ...]
    """What the environment gave."""

    def __new__(cls, text: str, names: tuple[str, ...], unset: tuple[str, ...] = (), values: tuple[str, ...] = ()) -> FromEnvironment:
        instance = super().__new__(cls, text)
        instance.names = names
        instance.unset = unset
        instance.values = values
        return instance


def shown(text: str, longest: int = _LONGEST) -> str:
    """Text of unknown origin, made safe for a terminal and short."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in short)


def masked(text: str) -> str:
    """An address without its user, password and query, which may be secrets, and without a path that may come from the environment."""
    if isinstance(text, FromEnvironment):
        text = re.sub(r"(://[^/\s]*/)[^\s]+", r"\1***", text)
    text = re.sub(r"\S+", _without_query, text)
    head, at, tail = text.rpartition("@")
    scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", head)
    return f"{scheme.group() if scheme else ''}***@{tail}" if at else text


def _without_query(word: re.Match[str]) -> str:
    """Search once from left to right, because a word may be long and full of addresses."""
    text = word.group()
    query = re.compile("[?#]").search(text, text.find("://")) if "://" in text else None
    return f"{text[: query.start()]}?***" if query else text


def mapping(data: Any, *keys: str) -> dict[str, Any]:
    """The mapping at this place of raw data. Empty: there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def listed(words: Iterable[str]) -> str:
    """The first words, and `…` if there are more."""
    first = list(islice(words, _MOST_LISTED + 1))
    return ", ".join(first[:_MOST_LISTED]) + (", …" if len(first) > _MOST_LISTED else "")


def with_type(value: Any) -> str:
    """The value and its type, like `"lots" (a string)`."""
    if isinstance(value, FromEnvironment):
        return f"a value from {' and '.join(f'${{{name}}}' for name in value.names)} (not shown)"
    if isinstance(value, str):
        return f'"{shown(masked(value))}" (a string)' if value else "an empty string"
    if isinstance(value, bool):
        return f"{str(value).lower()} (a boolean)"
    if isinstance(value, int | float):
        return f"{shown(str(value))} ({'a whole number' if isinstance(value, int) else 'a number'})"
    if value is None:
        return "nothing"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return f"a Python {type(value).__name__}"


def dotted(place: Place) -> str:
    """`orchestration.routing.rules[0].condition`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in place)
    return path.removeprefix(".")


def nearest(word: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """The choice that `word` most likely means, or nothing."""
    folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word[:_LONGEST].lower().replace("-", "_"), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def perhaps(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'model'?`, or nothing if no choice is similar."""
    near = nearest(word, choices)
    return f"; did you mean '{near}'?" if near else ""


def unknown_key(key: str, keys: Iterable[str]) -> str:
    keys = list(keys)
    near = perhaps(key, keys)
    return f"'{shown(key)}' is not a key here{near or '.'} Allowed: {listed(keys)}"
