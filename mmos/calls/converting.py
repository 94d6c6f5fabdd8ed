"""Converts a value where it can mean only one thing: text to number, word to boolean, another spelling to the listed choice."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import orjson

from mmos.calls.fitting import LARGEST, same

ALIKE = 0.85
"""How similar two words must be, by difflib: `celcius` means `celsius`, and `enable` does not mean `unable`."""
SHORTEST = 4
"""A shorter word must be exact, except for its case."""
LONGEST = 100
"""A longer text cannot mean a choice."""
LONGEST_WORD = 40
"""A longer word must be exact, too."""
MOST_CHOICES = 1000
"""With more choices MMOS does not guess."""
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
    """The number that the text means. A group of thousands counts only if it cannot be a fraction."""
    digits = text.strip()
    if len(digits) > LONGEST:
        return None
    for pattern, sign in _GROUPS:
        if pattern.fullmatch(digits):
            digits = re.sub(r"[ \u00a0\u202f]" if sign == " " else re.escape(sign), "", digits)
            break
    if _WHOLE.fullmatch(digits):
        return int(digits)
    return float(digits) if _DECIMAL.fullmatch(digits) and digits.strip("+-") != "." else None


def whole(value: Any) -> int | None:
    """The whole number that a text or a float means."""
    if isinstance(value, str):
        value = number(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def truth(value: Any) -> bool | None:
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, str):
        return True if word in _TRUE else False if word in _FALSE else None
    return bool(word) if isinstance(word, (int, float)) and word in (0, 1) else None


def spelled(value: Any) -> str | None:
    """A plain value as text. None for a huge number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and abs(value) < LARGEST else None


def structure(text: str) -> Any:
    """The list or object in a text, as JSON or as Python writes it. None: there is none."""
    stripped = text.strip()
    if not stripped or stripped[0] not in "[{(" or stripped[-1] not in "]})" or len(stripped) > LONGEST_JSON:
        return None
    try:
        return orjson.loads(stripped)
    except orjson.JSONDecodeError:
        pass
    if len(stripped) > LONGEST_LITERAL:
        return None
    try:
        value = ast.literal_eval(stripped)
        orjson.dumps(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return listed(value) if isinstance(value, (list, dict, tuple)) else None


def listed(value: Any) -> Any:
    """The value with lists in place of tuples, because JSON has no tuples."""
    if isinstance(value, (list, tuple)):
        return [listed(each) for each in value]
    return {str(key): listed(each) for key, each in value.items()} if isinstance(value, dict) else value


def choice(value: Any, choices: Sequence[Any]) -> Any:
    """The one choice that a value means, in another type, case or spelling, or with a typing error. None: it means none or several."""
    text = spelled(value)
    if text is None or len(text) > LONGEST or len(choices) > MOST_CHOICES:
        return None
    texts = [(each, spelling) for each in choices if (spelling := spelled(each)) is not None]
    for fold in (str.strip, lambda spelling: spelling.strip(" \t\r\n'\"`.").casefold(), folded):
        found = [each for each, spelling in texts if fold(spelling) == fold(text) and fold(spelling)]
        if found:
            return found[0] if len(found) == 1 else None
    as_number = number(text)
    found = [each for each in choices if as_number is not None and same(each, as_number)]
    if not found:
        found = [each for each, spelling in texts if alike(text, spelling)]
    return found[0] if len(found) == 1 else None


def folded(name: str) -> str:
    """Only the letters and digits."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def alike(word: str, known: str) -> bool:
    """Whether the words are the same, except for typing errors in long words. Numbers and first letters must be equal."""
    one, two = _parts(word), _parts(known)
    return len(one) == len(two) > 0 and all(_same_word(*pair) for pair in zip(one, two, strict=True))


def _parts(name: str) -> list[str]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:LONGEST])
    return [word.casefold() for word in _WORDS.findall(words)]


def _same_word(word: str, known: str) -> bool:
    if word == known:
        return True
    if min(len(word), len(known)) < SHORTEST or max(len(word), len(known)) > LONGEST_WORD:
        return False
    if word[0] != known[0] or word.isdigit() or known.isdigit():
        return False
    return SequenceMatcher(None, word, known, autojunk=False).ratio() >= ALIKE
