"""A tolerant parser for values: JSON, Python literals and mixtures of both, in one pass over the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mmos.calls import quoted
from mmos.calls.marks import CLOSE, OPEN
from mmos.calls.patience import Misread, Patience
from mmos.calls.words import PythonCall, Value, Word, parse_number

DEEPEST = 60
LONGEST_WORD = 2000
LONGEST_COMMENT = 2000

SPACE = re.compile(r"(?:\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/)){0,2000}+\*/|#[^\n]*+)*+")
NAME = re.compile(r"[A-Za-z_](?:[\w.]|\\[_.]|-(?=\w)){0,200}+")
"""The pattern has a limit, because a name without an end would be read again from every place."""
_NUMBER = re.compile(
    r"[-+]?(?:\d[\d_]{0,5000}+\.?\d{0,1000}+|\.\d{1,1000}+)(?:[eE][-+]?\d{1,1000}+)?(?=[^\S\n]{0,1000}+\n|\s{0,1000}+(?:[,)\]};]|$|#|/[/*]|</|<\|))"
)
_KEY = re.compile(r"\s{0,1000}+(?:=(?![=])>?|:)\s{0,1000}+")
_KEYWORD = re.compile(r"(\*{0,2}(?:[A-Za-z_$@]|\\_)(?:[\w$.-]|\\_){0,200}+)\s{0,1000}+(?:=(?!=)|:(?!//))\s{0,1000}+")
_ASSIGNED = re.compile(r"([A-Za-z_](?:[\w.]|\\_){0,200}+)\s{0,1000}+=(?!=)\s{0,1000}+")
_END = re.compile(r"\s{0,1000}+(?:[,)\]};]|$|#|/[/*])")
_OBJECT_IN_QUOTES = re.compile(r"""(["'])\s{0,1000}+\{\s{0,1000}+\1""")
_CALL = re.compile(r"\s?\(")
_STOPS = re.compile(r"[(){}\[\],;\n]")
_JOINT = re.compile(r"(?:[|+&]|and\b|or\b|then\b|->)\s{0,1000}+")
_CLOSERS = {"{": "}", "[": "]", "(": ")"}
_WORDS: Mapping[str, Any] = {
    "true": True, "false": False, "null": None, "none": None, "nil": None, "undefined": None,
}  # fmt: skip
_PREFIXED = re.compile(r"[rbfuRBFU]{1,2}(?=[\"'])")


class Reader:
    """Reads a value in one pass, with or without tolerance for quotes and commas."""

    def __init__(self, text: str, limit: int, patience: Patience, *, lenient: bool, lists_calls: bool) -> None:
        self._text = text
        self._limit = limit
        self._patience = patience
        self._lenient = lenient
        self._lists_calls = lists_calls
        self._depth = 0
        self._inside = 0
        self._cut = False
        self._torn = False
        self._repairs: dict[str, None] = {}

    def whole(self, at: int) -> Value:
        value, end = self._value(at)
        return Value(value, end, tuple(self._repairs), self._cut, self._torn)

    def headless(self, at: int) -> Value:
        value, end = self._deeper(self._braces, at - 1)
        return Value(value, end, ("missing bracket",), torn=self._torn)

    def _forgive(self, what: str) -> None:
        self._repairs[what] = None

    def _space(self, at: int) -> int:
        sign = self._text[at : at + 1]
        if not sign or not (sign.isspace() or sign in "/#"):
            return at
        found = SPACE.match(self._text, at, self._limit)
        end = found.end() if found else at
        self._patience.scan(end - at if sign != "/" else max(end - at, LONGEST_COMMENT))
        return end

    def _value(self, at: int) -> tuple[Any, int]:
        text = self._text
        if at >= self._limit:
            self._cut = True
            raise Misread("nothing there")
        self._patience.spend()
        sign = text[at]
        if sign == "{":
            return self._deeper(self._braces, at)
        if sign in "[(":
            return self._deeper(self._list, at)
        if prefixed := _PREFIXED.match(text, at):
            at = prefixed.end()
        if quoted.opening(text, at):
            return self._quoted(at)
        if number := _NUMBER.match(text, at, self._limit):
            return self._number(number)
        return self._word(at)

    def _deeper(self, read: Callable[[int], tuple[Any, int]], at: int) -> tuple[Any, int]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Misread("too deep")
        found = read(at)
        self._depth -= 1
        return found

    # ---------------------------------------------------------------- texts, numbers, words

    def _quoted(self, at: int) -> tuple[Any, int]:
        if self._lists_calls and not self._inside and (found := self._quoted_call(at)):
            return found
        if not self._lenient:
            text, end = quoted.strict(self._text, at, self._limit, self._patience)
        elif _OBJECT_IN_QUOTES.match(self._text, at) and (found := self._object_in_quotes(at)):
            return found
        else:
            text, end, closed = quoted.lenient(self._text, at, self._limit, self._patience)
            self._cut = self._cut or not closed
            self._torn = self._torn or not closed
            self._forgive("quotes")
        if not _END.match(self._text, end) and self._text[end : end + 1] in "+.%*":
            return self._expression(at)
        return text, end

    def _object_in_quotes(self, at: int) -> tuple[Any, int] | None:
        """`"{"city": "Paris"}"`: an object in quotes, whose own quotes are not escaped."""
        try:
            value, end = self._value(self._text.index("{", at))
        except Misread:
            return None
        if not isinstance(value, dict) or self._text[end : end + 1] != self._text[at] or not _END.match(self._text, end + 1):
            return None
        self._forgive("an object in quotes")
        return value, end + 1

    def _quoted_call(self, at: int) -> tuple[Any, int] | None:
        """`"f(a=1)"` in a list of calls: a call in quotes."""
        pair = quoted.opening(self._text, at)
        start = at + (len(pair[0]) if pair else 0)
        name = NAME.match(self._text, start, self._limit)
        if pair is None or name is None or not _CALL.match(self._text, name.end()):
            return None
        try:
            value, end = self._python_call(name[0], self._text.index("(", name.end()))
        except Misread:
            return None
        found = re.compile(r"[\s;]{0,1000}+" + re.escape(pair[1])).match(self._text, end)
        if found is None and not self._lenient:
            return None
        self._forgive("calls in quotes")
        return value, found.end() if found else end

    def _number(self, found: re.Match[str]) -> tuple[Any, int]:
        if found.end() >= self._limit and self._depth:
            self._torn = True  # more digits may be missing
        raw = found[0].replace("_", "")
        digits = raw.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
            return Word(found[0]), found.end()  # 007 is a name, or a number in another notation
        return parse_number(raw), found.end()

    def _word(self, at: int) -> tuple[Any, int]:
        name = NAME.match(self._text, at, self._limit)
        if name is not None:
            if _END.match(self._text, name.end()) and name[0].lower() in _WORDS:
                return _WORDS[name[0].lower()], name.end()
            if call := _CALL.match(self._text, name.end(), self._limit):
                return self._call_or_more(at, name[0], call.end() - 1)
        return self._expression(at)

    def _call_or_more(self, at: int, name: str, bracket: int) -> tuple[Any, int]:
        value, end = self._python_call(name, bracket)
        if self._inside and not _END.match(self._text, end):
            return self._expression(at)
        return value, end

    def _expression(self, at: int) -> tuple[Any, int]:
        """The text up to the next comma, or to the bracket that closes the outer value."""
        end = word_end(self._text, at, min(self._limit, at + LONGEST_WORD))
        self._patience.spend((end - at) // 20)
        text = self._text[at:end].strip()
        if not text:
            raise Misread("nothing where a value is due")
        self._torn = self._torn or (end >= self._limit and self._depth > 0)
        return Word(text), end

    # ---------------------------------------------------------------- lists and objects

    def _list(self, at: int) -> tuple[Any, int]:
        close = _CLOSERS[self._text[at]]
        items: list[Any] = []
        keywords: dict[str, Any] = {}
        at = self._space(at + 1)
        while at < self._limit and self._text[at] != close:
            if self._lenient and self._text[at] in ")]}":
                self._forgive("brackets")
                break
            key = _ASSIGNED.match(self._text, at, self._limit) if items and not self._inside else None
            if key is not None:
                keywords[key[1].replace("\\", "")], at = self._value(self._space(key.end()))
            else:
                value, at = self._value(at)
                items.append(value)
            at = self._separated(at, close)
        return (items + [keywords] * bool(keywords), at + 1) if at < self._limit else self._ended(items + [keywords] * bool(keywords), at)

    def _separated(self, at: int, close: str) -> int:
        """The place after the comma of an entry."""
        at = self._space(at)
        sign = self._text[at : at + 1] if at < self._limit else ""
        if sign in (",", ";"):
            after = self._space(at + 1)
            if self._text[after : after + 1] == close:
                self._forgive("trailing comma")
            while self._lenient and self._text[after : after + 1] == ",":
                self._patience.spend()
                after = self._space(after + 1)
            return after
        if not sign or sign == close:
            return at
        if not self._lenient:
            raise Misread("no comma")
        if sign in "<[" and (CLOSE.match(self._text, at) or OPEN.match(self._text, at)):
            self._limit = at  # the tag ends a value without an end
            return at
        if sign in "\"'`" and not self._inside and _END.match(self._text, at + 1):
            self._forgive("quotes")
            return self._separated(at + 1, close)
        if joint := _JOINT.match(self._text, at, self._limit) if not self._inside else None:
            self._forgive("operators between calls")
            return joint.end()
        self._forgive("missing comma" if sign not in "})]" else "brackets")
        return at

    def _ended(self, value: Any, at: int) -> tuple[Any, int]:
        if not self._lenient:
            raise Misread("no end")
        self._cut = True
        return value, at

    def _braces(self, at: int) -> tuple[Any, int]:
        """An object. Without keys, a set, as a list."""
        pairs: dict[str, Any] = {}
        loose: list[Any] = []
        at = self._space(at + 1)
        while True:
            if at >= self._limit:
                return self._ended(pairs or loose, at)
            if self._text[at] == "}":
                return (pairs if pairs or not loose else loose), at + 1
            if self._lenient and self._text[at] in ")]" and (self._depth > 1 or not self._text[at + 1 : at + 2].strip("}")):
                self._forgive("brackets")
                return (pairs if pairs or not loose else loose), at + 1
            at = self._pair(at, pairs, loose)

    def _pair(self, at: int, pairs: dict[str, Any], loose: list[Any]) -> int:
        first = at
        key, at = self._key(at)
        colon = _KEY.match(self._text, at, self._limit) if key is not None else None
        if key is None or colon is None:
            if self._lenient and key is not None and self._space(at) >= self._limit:
                self._cut = True
                return self._limit
            value, at = self._value(first)
            loose.append(value)
            return self._separated(at, "}")
        at = self._space(colon.end())
        if at >= self._limit and self._lenient:
            self._cut = self._torn = True
            return at
        pairs[key], at = self._value(at)
        return self._separated(at, "}")

    def _key(self, at: int) -> tuple[str | None, int]:
        if quoted.opening(self._text, at):
            try:
                text, end = quoted.strict(self._text, at, self._limit, self._patience)
            except Misread:
                text, end, _ = quoted.lenient(self._text, at, self._limit, self._patience)
            return text.replace("\\", ""), end
        found = _KEYWORD.match(self._text, at, self._limit)
        if found is None:
            return None, at
        self._forgive("keys without quotes")
        return found[1].replace("\\", ""), found.end(1)

    # ---------------------------------------------------------------- calls

    def _python_call(self, name: str, bracket: int) -> tuple[Any, int]:
        self._depth += 1
        self._inside += 1
        if self._depth > DEEPEST:
            raise Misread("too deep")
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        at, last = self._space(bracket + 1), ""
        while at < self._limit and self._text[at] != ")":
            if self._lenient and self._text[at] in "]}":
                self._forgive("brackets")
                break
            at, last = self._argument(at, positional, keywords, last)
        if at >= self._limit:
            self._ended(None, at)
        self._depth -= 1
        self._inside -= 1
        closed = at < self._limit and self._text[at] == ")"
        return PythonCall(name.replace("\\", ""), tuple(positional), keywords), at + closed

    def _argument(self, at: int, positional: list[Any], keywords: dict[str, Any], last: str) -> tuple[int, str]:
        if self._text.startswith("**{", at):
            at += 2
        key = self._argument_key(at)
        if key is None:
            value, at = self._value(at)
            before = keywords.get(last)
            if last and isinstance(before, Word) and isinstance(value, Word):
                keywords[last] = Word(f"{before}, {value}")  # San Francisco, CA
            else:
                positional.append(value)
            return self._separated(at, ")"), last
        name, at = key
        if at >= self._limit:
            self._cut = self._torn = True
            return at, name
        if self._text[at] in ",)":
            raise Misread("an argument without a value")
        keywords[name], at = self._value(at)
        return self._separated(at, ")"), name

    def _argument_key(self, at: int) -> tuple[str, int] | None:
        found = _KEYWORD.match(self._text, at, self._limit)
        if found is not None:
            return found[1].replace("\\", ""), self._space(found.end())
        if quoted.opening(self._text, at):
            try:
                text, end = quoted.strict(self._text, at, self._limit, self._patience)
            except Misread:
                return None
            colon = _KEY.match(self._text, end, self._limit)
            if colon is not None and NAME.fullmatch(text):
                return text, self._space(colon.end())
        return None


def word_end(text: str, at: int, limit: int) -> int:
    """The end of a value without quotes: a comma, or the bracket that closes the outer value."""
    depth = 0
    for found in _STOPS.finditer(text, at, limit):
        sign = found[0]
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            if depth == 0:
                return found.start()
            depth -= 1
        elif depth == 0:
            return found.start()
    return max(at, limit)
