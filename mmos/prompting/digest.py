"""Shortens a long text to its beginning, its headings and its end."""

from __future__ import annotations

import re

HEAD, TAIL, HEADINGS = 1_200, 400, 20
_HEADING = re.compile(r"^(?:#{1,6} .+|[A-Z0-9][^\n]{0,60}:)$", re.MULTILINE)


def digest(text: str) -> str:
    """The beginning, the headings of the part that is left out, and the end. A short text stays whole."""
    if len(text) <= HEAD + TAIL:
        return text
    middle = text[HEAD:-TAIL]
    headings = [heading.strip() for heading in _HEADING.findall(middle)][:HEADINGS]
    marks = [f"[… {len(middle):,} characters …]", *headings, *(["[…]"] if headings else [])]
    return "\n".join([text[:HEAD], *marks, text[-TAIL:]])
