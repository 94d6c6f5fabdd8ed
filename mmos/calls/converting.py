"""Converts a value where it can mean only one thing: text to number, word to boolean, another spelling to the listed choice."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import orjson

from mmos.calls.fitting import same

ALIKE = 0.85
"""How alike two words must be to be one, as difflib counts: `celcius` and `celsius` are, `enable` and `unable` are not."""
SHORTEST = 4
"""A shorter word must be exact but for its case."""
LONGEST = 100
"""A longer text is no misspelt choice."""
LONGEST_WORD = 40
"""A longer word must be exact, too."""
MOST_CHOICES = 1000
"""Among more choices none is guessed."""
LONGEST_JSON = 200_000
LONGEST_LITERAL = 10_000

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
NOTHING = {"", "null", "none", "nil", "undefined", "n/a"}
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:\d{1,18}\.\d{0,18}|\.\d{1,18}|\d{1,18})(?:[eE][+-]?\d{1,2})?")
_GROUPS = (
    (re.compile(r"[+-]?\d{1,3}(?:,\d{3}){2,5}"), ","),  # one group alone may be a fraction: 1,000
    (re.compile(r"[+-]?\d{1,3}(?:,\d{3}){1,5}\.\d{1,18}"), ","),
    (re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,5}"), "."),
    (re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u202f]\d{3}){1,5}"), " "),
    (re.compile(r"[+-]?\d{1,3}(?:_\d{3}){1,5}"), "_"),
)
_WORDS = re.compile(r"[^\W\d_]+|\d+")


def number(text: str) -> int | float | None:
    """The number that this text can only mean; thousands are grouped where that cannot be a fraction."""
    said = text.strip()
    if len(said) > LONGEST:
        return None
    for pattern, sign in _GROUPS:
        if pattern.fullmatch(said):
            said = re.sub(r"[ \u00a0\u202f]" if sign == " " else re.escape(sign), "", said)
            break
    if _WHOLE.fullmatch(said):
        return int(said)
    return float(said) if _DECIMAL.fullmatch(said) and said.strip("+-") != "." else None


def whole(value: Any) -> int | None:
    """The whole number that a text or a float says."""
    if isinstance(value, str):
        value = number(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e18:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def truth(value: Any) -> bool | None:
    said = value.strip().lower() if isinstance(value, str) else value
    if isinstance(said, str):
        return True if said in _TRUE else False if said in _FALSE else None
    return bool(said) if isinstance(said, (int, float)) and said in (0, 1) else None


def spelled(value: Any) -> str | None:
    """A plain value as text; huge numbers have none that anybody meant."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and abs(value) < 1e18 else None


def structure(text: str) -> Any:
    """The list or object that a text holds as JSON, or as Python writes it; None where it holds none."""
    said = text.strip()
    if not said or said[0] not in "[{(" or said[-1] not in "]})" or len(said) > LONGEST_JSON:
        return None
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        pass
    if len(said) > LONGEST_LITERAL:
        return None
    try:
        found = ast.literal_eval(said)
        orjson.dumps(found)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return listed(found) if isinstance(found, (list, dict, tuple)) else None


def listed(value: Any) -> Any:
    """JSON knows lists alone: tuples become some."""
    if isinstance(value, (list, tuple)):
        return [listed(each) for each in value]
    return {str(key): listed(each) for key, each in value.items()} if isinstance(value, dict) else value


def choice(value: Any, choices: Sequence[Any]) -> Any:
    """The one choice that a value means: in another type, case or spelling, or with a slip of the pen; None when none or several."""
    text = spelled(value)
    if text is None or len(text) > LONGEST or len(choices) > MOST_CHOICES:
        return None
    texts = [(each, said) for each in choices if (said := spelled(each)) is not None]
    for fold in (str.strip, lambda said: said.strip(" \t\r\n'\"`.").casefold(), folded):
        found = [each for each, said in texts if fold(said) == fold(text) and fold(said)]
        if found:
            return found[0] if len(found) == 1 else None
    said_number = number(text)
    found = [each for each in choices if said_number is not None and same(each, said_number)]
    if not found:
        found = [each for each, said in texts if alike(text, said)]
    return found[0] if len(found) == 1 else None


def folded(name: str) -> str:
    """The letters and digits alone."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def alike(said: str, known: str) -> bool:
    """The same words, but for a slip in long ones; numbers and first letters are never slips."""
    one, two = _parts(said), _parts(known)
    return len(one) == len(two) > 0 and all(_same_word(*pair) for pair in zip(one, two, strict=True))


def _parts(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:LONGEST])
    return [word.casefold() for word in _WORDS.findall(spaced)]


def _same_word(said: str, known: str) -> bool:
    if said == known:
        return True
    if min(len(said), len(known)) < SHORTEST or max(len(said), len(known)) > LONGEST_WORD:
        return False
    if said[0] != known[0] or said.isdigit() or known.isdigit():
        return False
    return SequenceMatcher(None, said, known, autojunk=False).ratio() >= ALIKE
