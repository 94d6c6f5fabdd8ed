"""Reads a value as JSON if it is JSON, and otherwise with increasing tolerance."""

from __future__ import annotations

import json
import re
from typing import Any

from mmos.calls.literals import NAME, Reader
from mmos.calls.patience import Misread, Patience
from mmos.calls.words import PythonCall, Value, Word, parse_number

__all__ = ["NAME", "PythonCall", "Value", "Word", "read_value"]

_JSON = json.JSONDecoder(strict=False, parse_int=parse_number, parse_float=parse_number, parse_constant=lambda _: None)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
LONGEST_ESCAPED = 20_000
LINES = 20
"""How many times as fast as it reads the JSON parser counts lines for an error."""
_ESCAPED = re.compile(r"[\[{][\s\[{]{0,100}+\\\"")
_ONCE_MORE = re.compile(r"\\([\"\\])")


def read_value(
    text: str, at: int, limit: int | None = None, *, lists_calls: bool = True, patience: Patience | None = None, headless: bool = False
) -> Value:
    """The value that begins here, as JSON, and if it is none, with more and more tolerance. Raises Misread.

    `headless`: an object without its first bracket.
    """
    limit = len(text) if limit is None else limit
    patience = patience or Patience(limit - at)
    patience.spend()
    if headless:
        return Reader(text, limit, patience, lenient=True, lists_calls=False).headless(at)
    if _ESCAPED.match(text, at, limit) and (inner := _once_less(text, at, min(limit, at + LONGEST_ESCAPED), patience)):
        return inner
    value = _as_json(text, at, patience) if text[at : at + 1] in ("{", "[") else None
    if value and value.end <= limit and not (lists_calls and _holds_calls(value.value)):
        return value
    try:
        return Reader(text, limit, patience, lenient=False, lists_calls=lists_calls).whole(at)
    except Misread:
        return Reader(text, limit, patience, lenient=True, lists_calls=lists_calls).whole(at)


def _as_json(text: str, at: int, patience: Patience) -> Value | None:
    """The value if it is JSON. The work is the scanned text, and the lines that the parser counts for an error."""
    try:
        value, end = _JSON.raw_decode(text, at)
        value = _whole(value) if _SURROGATE.search(text, at, end) else value
    except json.JSONDecodeError as error:
        patience.scan(error.pos - at + error.pos // LINES)
        return None
    except RecursionError:
        patience.scan(len(text) - at)
        return None
    patience.scan(end - at)
    return Value(value, end)


def _whole(value: Any) -> Any:
    """The value without halves of surrogate pairs, which no host accepts."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return {_whole(key): _whole(each) for key, each in value.items()} if isinstance(value, dict) else value


def _holds_calls(value: Any) -> bool:
    """Whether a list has calls in quotes: `["f(a=1)"]`."""
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, str) and value.rstrip().endswith(")")


def _once_less(text: str, at: int, limit: int, patience: Patience) -> Value | None:
    """JSON that is escaped twice: `{\\"a\\": 1}`."""
    raw = text[at:limit]
    value = _as_json(_ONCE_MORE.sub(r"\1", raw), 0, patience)
    patience.scan(len(raw))
    if value is None:
        return None
    end = value.end
    for escape in _ONCE_MORE.finditer(raw):
        if escape.start() >= end:
            break
        end += 1  # for the backslash, which is not in the value
    return Value(value.value, at + end, ("escaped quotes",))
