"""Finds the code in an answer."""

from __future__ import annotations

import re

_OPENING = re.compile(r"([ \t]*)(`{3,}(?=[^`]*$)|~{3,})")


def first_block(text: str) -> str | None:
    """Return the content of the first code block, or None. An answer that was cut short may lack the closing fence."""
    lines = iter(text.splitlines())
    for line in lines:
        opening = _OPENING.match(line)
        if opening is None:
            continue
        indent, fence = opening.groups()
        code = []
        for inner in lines:
            closing = inner.strip()
            if len(closing) >= len(fence) and set(closing) == {fence[0]}:
                break
            code.append(inner.removeprefix(indent))
        return "".join(f"{line}\n" for line in code)
    return None
