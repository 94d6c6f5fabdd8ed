"""Reads a value as JSON if it is JSON, and otherwise with increasing tolerance."""

from __future__ import annotations

import json
import re
from typing import Any

from mmos.calls.literals import NAME, Reader
from mmos.calls.quoted import Misread
from mmos.calls.words import Patience, Spoken, Value, Word, counted

__all__ = ["NAME", "Patience", "Spoken", "Value", "Word", "read_value"]

_JSON = json.JSONDecoder(strict=False, parse_int=counted, parse_float=counted, parse_constant=lambda _: None)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
LONGEST_ESCAPED = 20_000
_ESCAPED = re.compile(r"[\[{][\s\[{]*\\\"")


def read_value(
    text: str, at: int, limit: int | None = None, *, lists_calls: bool = True, patience: Patience | None = None, headless: bool = False
) -> Value:
    """The value that begins here: as JSON when it is that, else with ever more patience. Raises Misread.

    One that is headless is an object without its first bracket.
    """
    limit = len(text) if limit is None else limit
    if headless:
        return Reader(text, limit, patience or Patience(), lenient=True, lists_calls=False).headless(at)
    if _ESCAPED.match(text, at, limit) and (unescaped := _once_less(text, at, min(limit, at + LONGEST_ESCAPED))):
        return unescaped
    if text[at : at + 1] in "{[":
        try:
            value, end = _JSON.raw_decode(text, at)
            if _SURROGATE.search(text, at, end):
                value = _whole(value)
            if end <= limit and not (lists_calls and _holds_calls(value)):
                return Value(value, end)
        except (ValueError, RecursionError):
            pass
    patience = patience or Patience()
    try:
        return Reader(text, limit, patience, lenient=False, lists_calls=lists_calls).whole(at)
    except Misread:
        return Reader(text, limit, patience, lenient=True, lists_calls=lists_calls).whole(at)


def _whole(value: Any) -> Any:
    """Without halves of signs: no host takes them back."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return {_whole(key): _whole(each) for key, each in value.items()} if isinstance(value, dict) else value


def _holds_calls(value: Any) -> bool:
    """Whether a list holds calls as quoted texts: `["f(a=1)"]`."""
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, str) and value.rstrip().endswith(")")


def _once_less(text: str, at: int, limit: int) -> Value | None:
    """JSON that was escaped once too often: `{\\"a\\": 1}`."""
    signs: list[str] = []
    places: list[int] = []
    while at < limit:
        at += text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\")
        signs.append(text[at : at + 1])
        places.append(at)
        at += 1
    try:
        value, end = _JSON.raw_decode("".join(signs))
    except (ValueError, RecursionError):
        return None
    return Value(value, places[end - 1] + 1, ("escaped quotes",))
