"""Finds out whether a call stands in a text that its participant has read. Then the participant quotes it, and does not make it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import Any

from mmos.calls.interpreting import INTERPRETS
from mmos.calls.resolve import TYPES
from mmos.calls.shapes import ARGUMENT_KEYS, BESIDE, LIST_KEYS, NAME_KEYS
from mmos.fences import plain
from mmos.messages import Message, ToolCall

DEEPEST = 4
"""How often a text is decoded, such as JSON in JSON in HTML."""
MOST_STEPS = 150_000
"""Steps of one search. A text that needs more is probably an attack, so the call counts as a quotation."""
LETTERS_A_STEP = 500
"""Letters that one step can search."""
FARTHEST = 2000
"""Words between the name of a tool and its arguments. They may belong to an argument that the call does not have."""
TELLING = 8
"""A shorter text beside the name of a tool is no evidence."""
MOST_PIECES = 4
"""Quotations from which a call may be composed."""

_WORD = re.compile(r"[^\W_]+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{2,31});?")
_PERCENT = re.compile(r"%([0-7][0-9a-fA-F])")
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[uU]\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|([nrtbf]))?")
_LOOSE = re.compile(r"^[ \t>]+|[\s\"'`“”‘’*]", re.MULTILINE)
"""What a quotation may change: spaces, the kind of quotes, and the marks of a quoted line."""
_SPACE = re.compile(r"\w[\w.-]{0,60}\.\Z")
"""A namespace before a name."""
_AROUND = " \t\"'`*“”‘’"
_SIGNS = frozenset("([{<>:=|/}])")
_SIGN = re.compile(r"[(\[{<>:=|/}\])]")

_KEYS = "|".join(sorted({key.lower() for key in NAME_KEYS}, key=len, reverse=True))
_NAME_START = re.compile(
    rf"""(?:\b(?:{_KEYS}|call)["'`*]*[ \t]*[:=][ \t]*["'`*]*            # "name": "look", Action: look
    | (?<!<)<[|｜/]?(?:[\w:|｜▁]{{1,40}}[\ =/:]{{1,4}}(?:name=)?)?["']?  # <look>, <function=look>, <invoke name="look">
    | <[^<>\n]{{1,60}}>\s*["'`]*                                       # <tool_call>look
    | \bto=(?:functions\.)? | [\[,(]\s*["'])\Z""",  # ["look"]
    re.VERBOSE,
)
"""The text before the name of a call without arguments."""
_ARGUMENTS_START = re.compile(r"[\"'`*\s]*+[:=]?>?\s*+\{|\s*+/?>")
_VALUE = re.compile(r"[^\w)\]}]{0,20}[:=>]")
"""The text between a key and its value."""
_BRACKET = re.compile(r"[\"'`*]*\s?\(")


def _words(names: Iterable[str]) -> frozenset[str]:
    return frozenset(word for name in names for word in (*_WORD.findall(name.lower()), name.lower()))


_EXTRA = (
    "begin", "end", "sep", "start", "section", "key", "value", "escape", "dsml", "json", "python", "py", "xml", "yaml", "code", "tag", "constrain", "message",
    "channel", "commentary", "recipient", "namespace", "api", "invoke", "plugin", "assistant", "im", "token", "use", "uses", "true", "false", "argument_begin",
)  # fmt: skip
_BETWEEN = _words((*NAME_KEYS, *ARGUMENT_KEYS, *LIST_KEYS, *BESIDE, *TYPES, *_EXTRA))
"""Words without a meaning between a name and its arguments: keys, tags and types."""
_BESIDE = _words(BESIDE)


class Page:
    """A text in the forms in which texts are compared: decoded, in lower case, and only its words."""

    def __init__(self, text: str) -> None:
        self.plain = _plain(text)
        self.bare = "".join(_WORD.findall(self.plain))

    @cached_property
    def words(self) -> list[tuple[int, int]]:
        """The place of each word in the plain text."""
        return [found.span() for found in _WORD.finditer(self.plain)]

    @cached_property
    def starts(self) -> list[int]:
        """The start of each word in the bare text, and the end of the last one."""
        starts = [0]
        for start, end in self.words:
            starts.append(starts[-1] + end - start)
        return starts

    @cached_property
    def tight(self) -> str:
        return _LOOSE.sub("", self.plain)

    def word(self, place: int) -> int | None:
        """The number of the word that begins at a place of the bare text. None: no word begins there."""
        number = bisect_left(self.starts, place)
        return number if number < len(self.starts) and self.starts[number] == place else None

    def mentions(self, name: str) -> Iterator[tuple[int, int]]:
        """The places of a name: the number of its first word, and of the word after it."""
        place = self.bare.find(name)
        while place >= 0:
            first, after = self.word(place), self.word(place + len(name))
            if first is not None and after is not None:
                yield first, after
            place = self.bare.find(name, place + 1)

    def around(self, first: int, after: int) -> tuple[str, str]:
        """The text before and after some words."""
        start, end = self.words[first][0], self.words[after - 1][1]
        return self.plain[max(0, start - 80) : start], self.plain[end : end + 40]


@dataclass(frozen=True)
class _Sought:
    """A call in the form for the search."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """The spellings of each value."""
    between: frozenset[str]
    others: frozenset[str]
    """Keys whose values the search may skip."""


class Seen:
    """The texts that a participant has read: the task, files, results and answers of others. Its own texts are not part of them."""

    def __init__(self, messages: Iterable[Message], *, own: ToolCall | None = None) -> None:
        """`own` is a call before its execution. Earlier results of the same call do not count."""
        self._messages = messages
        self._own = own
        self._steps = MOST_STEPS

    @property
    def spent(self) -> int:
        """The steps of the search so far."""
        return MOST_STEPS - self._steps

    def holds(self, text: str, name: str = "") -> bool:
        """Whether a text is in them, as a whole or in a few pieces, in any form of quotation."""
        page = Page(text)
        if len(page.bare) - len(_bare(name)) < TELLING:
            return False
        return self._steps < 0 or any(page.bare in other.bare for other in self._read()) or self._composed(page.tight)

    def repeats(self, text: str) -> bool:
        """Whether a line with the characters of a call is in them. For calls that only an interpreter can read."""
        return any(len(_SIGN.findall(line)) > 1 and self.holds(line) for line in text.splitlines())

    def quotes(self, name: str, arguments: Any, *, spelling: str = "", parameters: Iterable[str] = ()) -> bool:
        """Whether a call is in them: its name in the form of a call, with all its arguments."""
        names = dict.fromkeys(filter(None, (_bare(name), _bare(spelling), _bare(re.split(r"[./:]", spelling)[-1]))))
        leaves, keys = list(_leaves(arguments)), _words(_keys(arguments))
        others = _BESIDE | (_words(parameters) - keys)
        values = tuple(sorted(filter(None, map(_spellings, leaves)), key=lambda spellings: -len(spellings[0])))
        sought = _Sought(tuple(names), values, _BETWEEN | keys | others, others)
        return any(self._stands(sought, page, message) for message, page in self._pages)

    # ---------------------------------------------------------------- what was given

    @cached_property
    def _pages(self) -> list[tuple[Message, Page]]:
        pages: list[tuple[Message, Page]] = []
        calls: dict[str, ToolCall] = {}
        for message in self._messages:
            calls.update((call.id, call) for call in message.calls)
            if message.role in ("user", "tool") and not self._is_echo(message, calls.get(message.call_id), pages):
                pages += [(message, page) for page in message.form("seen", _pages_of)]
        return pages

    def _is_echo(self, message: Message, call: ToolCall | None, before: Sequence[tuple[Message, Page]]) -> bool:
        """Whether a result repeats the participant's own call, or comes from the interpreter for the participant's own words."""
        if message.role != "tool" or call is None:
            return False
        if call.name == INTERPRETS:
            query = Page(str(call.arguments.get("text", ""))).bare
            return not any(query in page.bare for _, page in before)
        own = self._own
        return own is not None and (call.name, call.arguments) == (own.name, own.arguments)

    def _read(self) -> Iterator[Page]:
        """All pages, with the steps for reading them."""
        for _, page in self._pages:
            self._steps -= 1 + len(page.bare) // LETTERS_A_STEP
            yield page

    # ---------------------------------------------------------------- whether a call stands there

    def _stands(self, sought: _Sought, page: Page, message: Message) -> bool:
        for name in sought.names:
            if name not in page.bare:
                continue
            for first, after in page.mentions(name):
                self._steps -= 4
                if self._steps < 0 or (self._is_form(sought, page, message, first, after) and self._has_values(sought, page, first, after)):
                    return True
        return False

    def _is_form(self, sought: _Sought, page: Page, message: Message, first: int, after: int) -> bool:
        """Whether the name is in a call there, and not in a sentence."""
        before, behind = page.around(first, after)
        before = _SPACE.sub("", before)
        if sought.values and message.role == "tool":
            return before.rstrip(_AROUND)[-1:] in _SIGNS or behind.lstrip(_AROUND + "\r\n")[:1] in _SIGNS
        if _NAME_START.search(before) or _ARGUMENTS_START.match(behind):
            return True
        # People write `name()` about a function. So in the words of the user it does not forbid a call that the host returned as a call.
        return _BRACKET.match(behind) is not None and (bool(sought.values) or not (self._own and message.role == "user"))

    def _has_values(self, sought: _Sought, page: Page, first: int, after: int) -> bool:
        """Whether all arguments are beside the name, in any order, with only keys and signs between them."""
        missing = list(sought.values)
        word, foreign, steps = after, 0, 0
        while missing and word < len(page.words) and (steps := steps + 1) < FARTHEST:
            if end := _match_at(page, word, missing):
                word = end
                continue
            token = page.bare[page.starts[word] : page.starts[word + 1]]
            if token in sought.between or (token.isdigit() and len(token) < 4):
                foreign = FARTHEST if token in sought.others and _VALUE.match(page.plain, page.words[word][1]) else 0
            elif not foreign:
                break
            else:
                foreign -= 1
            word += 1
        self._steps -= steps * (1 + len(missing))
        return not missing or self._has_values_before(sought, page, first, missing)

    def _has_values_before(self, sought: _Sought, page: Page, word: int, missing: list[tuple[str, ...]]) -> bool:
        steps = 0
        while missing and word > 0 and (steps := steps + 1) < FARTHEST:
            begin = _match_before(page, word, missing)
            if begin is not None:
                word = begin
                continue
            token = page.bare[page.starts[word - 1] : page.starts[word]]
            if token not in sought.between and not (token.isdigit() and len(token) < 4):
                break
            word -= 1
        self._steps -= steps
        return not missing

    def _composed(self, tight: str) -> bool:
        """Whether a text can be composed from a few pieces in them, each with the characters of a call."""
        for _ in range(MOST_PIECES):
            if self._steps < 0:
                return True
            size = self._longest(tight)
            if len(_SIGN.findall(tight, 0, size)) < 2:
                return False
            if size == len(tight):
                return True
            tight = tight[size:]
        return False

    def _longest(self, text: str) -> int:
        """The length of the longest beginning of a text that is in them."""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if any(text[:middle] in page.tight for page in self._read()):
                low = middle
            else:
                high = middle - 1
        return low


def _pages_of(message: Message) -> list[Page]:
    return [Page(text) for text in (message.content, *(file.text for file in message.files)) if text]


# ---------------------------------------------------------------- one form for all spellings


def _plain(text: str) -> str:
    for _ in range(DEEPEST):
        before = text
        if "&" in text:
            text = _ENTITY.sub(lambda found: unescape(found[0]), text)
        if "%" in text:
            text = _PERCENT.sub(lambda found: chr(int(found[1], 16)), text)
        if "\\" in text:
            text = _ESCAPE.sub(_unescaped, text)
        if text == before:
            break
    return plain(text).casefold()


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1] or found[2] or found[3] or "0", 16)
    return chr(code) if 0 < code <= 0x10FFFF else " " if found[4] else ""


def _bare(text: str) -> str:
    return "".join(_WORD.findall(_plain(text)))


def _leaves(value: Any, depth: int = 0) -> Iterator[Any]:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else None
    if inner is None or depth > DEEPEST * 20:
        yield value
        return
    for each in inner:
        yield from _leaves(each, depth + 1)


def _keys(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from map(str, value)
    if isinstance(value, Mapping | list | tuple) and depth <= DEEPEST * 20:
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _keys(each, depth + 1)


def _spellings(value: Any) -> tuple[str, ...]:
    """The spellings of a value, the longest first. Empty for a value without letters and digits."""
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("true", "yes", "on", "1") if value else ("false", "off", "no", "0")
    if isinstance(value, int) and value.bit_length() > 1000:
        return ()
    forms = {str(value)} | ({str(int(value)), f"{value:g}"} if isinstance(value, float) and value.is_integer() else set())
    return tuple(sorted(filter(None, map(_bare, forms)), key=len, reverse=True))


def _match_at(page: Page, word: int, missing: list[tuple[str, ...]]) -> int | None:
    """The word after the first of these values that begins at a word. Removes the value from the list."""
    place = page.starts[word]
    for number, spellings in enumerate(missing):
        for spelling in spellings:
            if page.bare.startswith(spelling, place) and (end := page.word(place + len(spelling))) is not None:
                del missing[number]
                return end
    return None


def _match_before(page: Page, word: int, missing: list[tuple[str, ...]]) -> int | None:
    """The same for a value that ends before a word. Returns its start."""
    place = page.starts[word]
    for number, spellings in enumerate(missing):
        for spelling in spellings:
            if page.bare.endswith(spelling, 0, place) and (begin := page.word(place - len(spelling))) is not None:
                del missing[number]
                return begin
    return None
