"""Arguments between tags, such as `<parameter=key>value</parameter>`, with or without a closing tag."""

from __future__ import annotations

import re
from typing import Any

from mmos.calls.sheet import Sheet

_PAIR = re.compile(
    r"""\s*+(?:
        <arg_key>(?P<glm>.{0,200}?)</arg_key>\s*+<arg_value>
      | <(?:[\w|｜]{1,12}[:|｜])?(?P<tag>parameter|param|argument|arg)(?:\s{0,100}+=\s{0,100}+["']?(?P<eq>[^"'<>\s]{1,100}+)["']?\s{0,100}+>|\s[^<>]{0,80}?\b(?:name|key)\s{0,100}+=\s{0,100}+["'](?P<attr>[^"'<>]{1,100}+)["'][^<>]{0,80}+>)
    )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {tag: re.compile(rf"</(?:[\w|｜]{{1,12}}[:|｜])?{tag}>") for tag in ("parameter", "param", "argument", "arg", "arg_value")}
_ELEMENT = re.compile(r"\s*+<(?P<key>[A-Za-z_][\w.-]{0,99})>")
_WRAPPER = re.compile(r"\s*+</?(?:parameters|arguments|params|args|input)>(?!\s*+[{\[])")
_ENDS = re.compile(
    r"</?(?:[\w|｜]{1,12}[:|｜])?(?:parameter|param|argument|arg_value|arg_key|arg|function|invoke|tool_call|tool_use|tool)\b"
)


MOST_ENDS = 100
"""Closing tags that may end one value, and values that may lack theirs."""


class Raw(str):
    """A value between tags. The schema decides whether it is a text, a number or JSON."""

    __slots__ = ()


def pairs(sheet: Sheet, at: int, limit: int) -> tuple[dict[str, Any], int]:
    """The arguments from this place on, and their end."""
    text = sheet.text
    found: dict[str, Any] = {}
    unclosed = 0
    while unclosed < MOST_ENDS:
        sheet.patience.spend()
        if wrapper := _WRAPPER.match(text, at, limit):
            at = wrapper.end()
            continue
        pair = _PAIR.match(text, at, limit)
        if pair is not None:
            key = (pair["glm"] or pair["eq"] or pair["attr"] or "").strip()
            found[key], at, closed = _value(sheet, pair.end(), limit, "arg_value" if pair["glm"] is not None else pair["tag"])
            unclosed += not closed
            continue
        element = _ELEMENT.match(text, at, limit)
        if element is None or _ENDS.match(text, element.start(1) - 1):
            return found, at
        close = sheet.word(f"</{element['key']}>", element.end(), limit)
        if close < 0:
            return found, at
        found[element["key"]] = Raw(_trimmed(text[element.end() : close]))
        at = close + len(element["key"]) + 3
    return found, at


def _value(sheet: Sheet, at: int, limit: int, tag: str) -> tuple[Raw, int, bool]:
    """The value up to its closing tag. Without one, up to the end of the call."""
    text, close = sheet.text, _CLOSES[tag]
    first = sheet.tag(close, at, limit)
    if first is None:
        stop = sheet.tag(_ENDS, at, limit)
        end_at = stop.start() if stop else limit
        return Raw(text[at:end_at].strip()), end_at, False
    place = at
    for tried, end in enumerate(close.finditer(text, first.start(), limit)):
        sheet.patience.scan(end.end() - place)
        place = end.end()
        if tried == MOST_ENDS:
            break
        rest = text[end.end() : end.end() + 80].lstrip()
        if not rest or rest[0] in "<[{":
            return Raw(_trimmed(text[at : end.start()])), end.end(), True
    return Raw(_trimmed(text[at : first.start()])), first.end(), True


def _trimmed(raw: str) -> str:
    """The value without the line breaks of the tags."""
    raw = raw.removeprefix("\r").removeprefix("\n")
    return raw.removesuffix("\n")
