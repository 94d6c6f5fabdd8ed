"""Defines styled text: spans with a style, and the escape sequences that show them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from mmos.cli.guard import RESET
from mmos.cli.styles import Style, begin

Span = tuple[str, int]
"""A text without control characters, and its styles."""

BOLD, DIM, ITALIC, UNDERLINE, STRIKE, RED, GREEN, MAGENTA, CYAN = (1 << place for place in range(9))

_NAMES: tuple[Style, ...] = ("bold", "dim", "italic", "underline", "strike", "error", "ok", "keyword", "accent")

CODE = CYAN
ADDRESS = DIM


@cache
def _begin(style: int) -> str:
    return begin(*(name for place, name in enumerate(_NAMES) if style & 1 << place))


def paint(spans: Iterable[Span], *, colour: bool) -> str:
    """Write one line for the terminal. It ends in the style in which it starts."""
    if not colour:
        return "".join(text for text, _ in spans)
    parts: list[str] = []
    last = 0
    for text, style in spans:
        if not text:
            continue
        if style != last:
            parts.append((RESET if last else "") + (_begin(style) if style else ""))
            last = style
        parts.append(text)
    if last:
        parts.append(RESET)
    return "".join(parts)
