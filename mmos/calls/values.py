"""A value as a model wrote it: as JSON when it is that, else read with ever more patience."""

from __future__ import annotations

import json
import re
from typing import Any

from mmos.calls.literals import NAME, Reader
from mmos.calls.quoted import Misread
from mmos.calls.words import Patience, Spoken, Value, Word

__all__ = ["NAME", "Patience", "Spoken", "Value", "Word", "read_value"]

_JSON = json.JSONDecoder(
    strict=False, parse_int=lambda digits: int(digits) if len(digits) < 19 else float(digits), parse_constant=lambda _: None
)
LONGEST_ESCAPED = 20_000
_ESCAPED = re.compile(r"[\[{][\s\[{]*\\\"")


def read_value(text: str, at: int, limit: int | None = None, *, lists_calls: bool = True, patience: Patience | None = None) -> Value:
    """The value that begins here: as JSON when it is that, else with ever more patience. Raises Misread."""
    limit = len(text) if limit is None else limit
    if _ESCAPED.match(text, at, limit) and (unescaped := _once_less(text, at, min(limit, at + LONGEST_ESCAPED))):
        return unescaped
    if text[at : at + 1] in "{[":
        try:
            value, end = _JSON.raw_decode(text, at)
            if end <= limit and not (lists_calls and _holds_calls(value)):
                return Value(value, end)
        except (ValueError, RecursionError):
            pass
    patience = patience or Patience()
    try:
        return Reader(text, limit, patience, lenient=False, lists_calls=lists_calls).whole(at)
    except Misread:
        return Reader(text, limit, patience, lenient=True, lists_calls=lists_calls).whole(at)


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
