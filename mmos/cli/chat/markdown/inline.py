"""Parses inline Markdown into styled spans: emphasis, code, links and line breaks. Other text stays as written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mmos.cli.chat.markdown.styles import ADDRESS, BOLD, CODE, ITALIC, STRIKE, UNDERLINE, Span

_MARKUP = re.compile(
    r"""(?P<escape>\\[!-/:-@\[-`{-~])
    | (?P<ticks>`+)
    | (?P<link>!?\[(?P<label>[^\[\]]*)\]\([ ]?<?(?P<url>[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s{1,3}(?P<title>"[^"]*"|'[^']*'))?[ ]?\))
    | (?P<address><(?:https?://|mailto:)[^\s<>]*>)
    | (?P<break><br\s?/?>\n?|\\(?=\n))
    | (?P<entity>&(?:amp|lt|gt|quot|apos|nbsp|\#39);)
    | (?P<formula>\$\$[^$]+\$\$)
    | (?P<marks>\*+|_+|~~+)
    """,
    re.VERBOSE,
)
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&#39;": "'", "&nbsp;": " "}
_FORMULAS = {"\\(": "\\)", "\\[": "\\]"}


@dataclass
class _Marks:
    """A run of `*`, `_` or `~` that can open or close emphasis."""

    place: int
    sign: str
    count: int
    opens: bool
    closes: bool
    length: int


@dataclass
class _Reading:
    text: str
    open_end: bool = False
    spans: list[list[str | int]] = field(default_factory=list)
    marks: list[_Marks] = field(default_factory=list)
    runs: dict[int, list[int]] | None = None
    """The positions of backtick runs by length. Found when the first one is read."""

    def add(self, text: str, style: int = 0) -> None:
        if text:
            self.spans.append([text, style])


def inline(text: str, *, open_end: bool = False) -> list[Span]:
    """Parse a text into spans. With an open end, marks that are still open count as closed there."""
    reading = _Reading(text, open_end)
    _read(reading)
    left = _emphasise(reading)
    if open_end:
        _close_all(reading.spans, left)
    for marks in reading.marks:
        reading.spans[marks.place][0] = marks.sign * marks.count
    return [(str(found), int(style)) for found, style in reading.spans]


def _read(reading: _Reading) -> None:
    place = 0
    while (token := _MARKUP.search(reading.text, place)) is not None:
        reading.add(reading.text[place : token.start()])
        found, place = token.group(), token.end()
        match token.lastgroup:
            case "escape":
                place = _escape(reading, token)
            case "ticks":
                place = _ticks(reading, token)
            case "link":
                _link(reading, token)
            case "marks":
                _marks(reading, token)
            case "address":
                reading.add(found[1:-1], UNDERLINE)
            case "break":
                reading.add("\n" if found != "\\" else "")
            case "entity":
                reading.add(_ENTITIES[found])
            case "formula":
                reading.add(found, CODE)
    reading.add(reading.text[place:])


def _escape(reading: _Reading, match: re.Match[str]) -> int:
    """Read a plain character, or the start of a formula, which is shown as written."""
    text, sign = reading.text, match.group()
    end = text.find(_FORMULAS[sign], match.end()) if sign in _FORMULAS else -1
    if end >= 0:
        reading.add(text[match.start() : end + 2], CODE)
        return end + 2
    reading.add(sign if sign in _FORMULAS or sign in _FORMULAS.values() else sign[1])
    return match.end()


def _ticks(reading: _Reading, match: re.Match[str]) -> int:
    text, length = reading.text, len(match.group())
    if reading.runs is None:
        reading.runs = {}
        for run in re.finditer("`+", text):
            reading.runs.setdefault(len(run.group()), []).append(run.start())
    begins = reading.runs.get(length, [])
    while begins and begins[0] < match.end():
        begins.pop(0)
    if not begins and not reading.open_end:
        reading.add(match.group())
        return match.end()
    end = begins[0] if begins else len(text)
    code = text[match.end() : end]
    if len(code) > 2 and code[0] == code[-1] == " " and code.strip():
        code = code[1:-1]
    reading.add(code, CODE)
    return end + length if begins else end


def _link(reading: _Reading, match: re.Match[str]) -> None:
    label, url, title = match.group("label"), match.group("url"), match.group("title")
    for text, style in inline(label) if label.strip() else ():
        reading.add(text, style | UNDERLINE)
    about = " ".join(part for part in (url if url != label else "", title) if part)
    if about:
        reading.add(f" ({about})" if label.strip() else about, ADDRESS)


def _marks(reading: _Reading, match: re.Match[str]) -> None:
    """Decide whether marks open or close emphasis. Stars beside a space and underscores inside a word do not."""
    text, run = reading.text, match.group()
    before = text[match.start() - 1] if match.start() else " "
    after = text[match.end()] if match.end() < len(text) else " "
    opens, closes = not after.isspace(), not before.isspace()
    if run[0] == "_":
        opens, closes = opens and not before.isalnum(), closes and not after.isalnum()
    reading.add(run)
    if run[0] != "~" or len(run) == 2:
        reading.marks.append(_Marks(len(reading.spans) - 1, run[0], len(run), opens, closes, len(run)))


def _emphasise(reading: _Reading) -> list[_Marks]:
    """Pair opening and closing marks. Return the marks that stay open."""
    openers: list[_Marks] = []
    for closer in reading.marks:
        while closer.closes and closer.count:
            place = next((n for n in range(len(openers) - 1, -1, -1) if _pair(openers[n], closer)), None)
            if place is None:
                break
            opener = openers[place]
            del openers[place + 1 :]
            used = 2 if opener.count >= 2 and closer.count >= 2 else 1
            _style(reading.spans, opener.place + 1, closer.place, _flag(closer.sign, used))
            opener.count -= used
            closer.count -= used
            if not opener.count:
                openers.pop()
        if closer.opens and closer.count:
            openers.append(closer)
    return openers


def _close_all(spans: list[list[str | int]], left: list[_Marks]) -> None:
    """Style the text after marks that are still open at the end."""
    style = 0
    ends = [*(marks.place for marks in left[1:]), len(spans)]
    for marks, end in zip(left, ends, strict=bool(left)):
        style |= _flag(marks.sign, min(2, marks.count))
        _style(spans, marks.place + 1, end, style)
        marks.count = 0


def _pair(opener: _Marks, closer: _Marks) -> bool:
    if opener.sign != closer.sign:
        return False
    either = opener.closes or closer.opens
    return not (either and (opener.length + closer.length) % 3 == 0 and (opener.length % 3 or closer.length % 3))


def _flag(sign: str, count: int) -> int:
    if sign == "~":
        return STRIKE
    return BOLD if count == 2 else ITALIC


def _style(spans: list[list[str | int]], begin: int, end: int, flag: int) -> None:
    for span in spans[begin:end]:
        span[1] = int(span[1]) | flag
