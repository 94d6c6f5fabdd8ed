"""Counts the brackets of code in languages like C: strings and comments are left out."""

from __future__ import annotations

import re

_TOKENS = re.compile(
    r"//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`?|[(){}\[\]]",
)
CLOSING = {"(": ")", "[": "]", "{": "}"}
_PAIRS = {closing: opening for opening, closing in CLOSING.items()}


def unclosed(source: str) -> list[str] | None:
    """The brackets that are open at the end. None: one is closed that was not open."""
    stack: list[str] = []
    for token in _TOKENS.finditer(source):
        sign = token[0]
        if sign in ("(", "[", "{"):
            stack.append(sign)
        elif sign in _PAIRS and (not stack or stack.pop() != _PAIRS[sign]):
            return None
    return stack


def is_balanced(source: str) -> bool:
    return unclosed(source) == []
