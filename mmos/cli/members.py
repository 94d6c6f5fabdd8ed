"""Reads the members of a JSON object as they are written, so that they can be passed on unchanged."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")
      | (?P<plain>-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][-+]?\d++)?+|true|false|null)
      | (?P<sign>[\[\]{},:])
    )""",
    re.VERBOSE | re.ASCII,
)


def members(text: str) -> list[tuple[str, str]] | None:
    """Names and values; None when the text is no JSON object."""
    found: list[tuple[str, str]] = []
    open_brackets: list[str] = []
    allowed: tuple[str, ...] = ("{",)
    at = value_start = 0
    name = ""
    while token := _TOKEN.match(text, at):
        at, kind = token.end(), token["sign"] or str(token.lastgroup)
        if kind == "text" and "name" in allowed:
            kind = "name"
        if kind not in allowed:
            return None
        start = token.start(token.lastgroup or 0)
        if len(open_brackets) == 1 and kind in _BEGINS:
            value_start = start
        if kind in ("{", "["):
            open_brackets.append(kind)
            allowed = _FIRST[kind]
            continue
        if kind in _LEADS:
            name = text[start:at] if kind == "name" and len(open_brackets) == 1 else name
            allowed = _LEADS[kind] if kind != "," else _NEXT[open_brackets[-1]]
            continue
        if kind in ("}", "]"):
            open_brackets.pop()
        if not open_brackets:
            return found if not text[at:].strip(" \t\r\n") else None
        if len(open_brackets) == 1:
            found.append((name, text[value_start:at]))
        allowed = (",", "}") if open_brackets[-1] == "{" else (",", "]")
    return None


def shallow(text: str, deepest: int) -> str:
    """The same JSON, with null for what is nested deeper."""
    parts: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += token["sign"] in ("{", "[")
        if depth <= deepest:
            parts.append(token[0])
        elif depth == deepest + 1 and token["sign"] in ("{", "["):
            parts.append("null")
        depth -= token["sign"] in ("}", "]")
    return "".join(parts)


_BEGINS = ("text", "plain", "{", "[")
_FIRST = {"{": ("name", "}"), "[": (*_BEGINS, "]")}
_NEXT = {"{": ("name",), "[": _BEGINS}
_LEADS: dict[str, tuple[str, ...]] = {"name": (":",), ":": _BEGINS, ",": ()}
"""What stands before a value, and what may follow it."""
