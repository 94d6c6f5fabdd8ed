"""Arguments between tags, such as `<parameter=key>value</parameter>`, with or without a closing tag."""

from __future__ import annotations

import re
from typing import Any

_PAIR = re.compile(
    r"""\s*(?:
        <arg_key>(?P<glm>.{0,200}?)</arg_key>\s*<arg_value>
      | <(?:[\w|｜]{1,12}[:|｜])?(?P<tag>parameter|param|argument|arg)\s*(?:=\s*["']?(?P<eq>[^"'<>\s]{1,100})["']?\s*>|\s[^<>]{0,80}?\b(?:name|key)\s*=\s*["'](?P<attr>[^"'<>]{1,100})["'][^<>]{0,80}>)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ELEMENT = re.compile(r"\s*<(?P<key>[A-Za-z_][\w.-]{0,99})>")
_WRAPPER = re.compile(r"\s*</?(?:parameters|arguments|params|args|input)>(?!\s*[{\[])")
_ENDS = re.compile(
    r"</?(?:[\w|｜]{1,12}[:|｜])?(?:parameter|param|argument|arg_value|arg_key|arg|function|invoke|tool_call|tool_use|tool)\b"
)


LONGEST = 4_000_000
MOST_ENDS = 100
"""How many closing tags are looked at for the one that ends a value, and how many values may lack theirs."""


class Raw(str):
    """A value between tags: only the schema says whether it is a text, a number or JSON."""

    __slots__ = ()


def pairs(text: str, at: int, limit: int) -> tuple[dict[str, Any], int]:
    """All arguments from here on, and where they end."""
    found: dict[str, Any] = {}
    unclosed = 0
    while unclosed < MOST_ENDS:
        if wrapper := _WRAPPER.match(text, at, limit):
            at = wrapper.end()
            continue
        pair = _PAIR.match(text, at, limit)
        if pair is not None:
            key = (pair["glm"] or pair["eq"] or pair["attr"] or "").strip()
            found[key], at, closed = _value(text, pair.end(), limit, "arg_value" if pair["glm"] is not None else pair["tag"])
            unclosed += not closed
            continue
        element = _ELEMENT.match(text, at, limit)
        close = text.find(f"</{element['key']}>", element.end(), limit) if element else -1
        if element is None or close < 0 or _ENDS.match(text, element.start(1) - 1):
            return found, at
        found[element["key"]] = Raw(_trimmed(text[element.end() : close]))
        at = close + len(element["key"]) + 3
    return found, at


def _value(text: str, at: int, limit: int, tag: str) -> tuple[Raw, int, bool]:
    """Up to the closing tag after which something of the call follows; else up to whatever ends the call."""
    close = re.compile(rf"</(?:[\w|｜]{{1,12}}[:|｜])?{tag}>")
    first = None
    for tried, end in enumerate(close.finditer(text, at, min(limit, at + LONGEST))):
        first = first or end
        if tried == MOST_ENDS:
            break
        rest = text[end.end() : end.end() + 80].lstrip()
        if not rest or rest[0] in "<[{":
            return Raw(_trimmed(text[at : end.start()])), end.end(), True
    if first is not None:
        return Raw(_trimmed(text[at : first.start()])), first.end(), True
    stop = _ENDS.search(text, at, limit)
    end_at = stop.start() if stop else limit
    return Raw(text[at:end_at].strip()), end_at, False


def _trimmed(raw: str) -> str:
    """Without the line breaks that belong to the tags."""
    raw = raw.removeprefix("\r").removeprefix("\n")
    return raw.removesuffix("\n")
