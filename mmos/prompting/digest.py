"""A short view of a long text, made of its own words: how it begins, its headings, how it ends."""

from __future__ import annotations

import re

HEAD, TAIL, HEADINGS = 1_200, 400, 20
_HEADING = re.compile(r"^(?:#{1,6} .+|[A-Z0-9][^\n]{0,60}:)$", re.MULTILINE)


def digest(text: str) -> str:
    """The beginning, the headings of what is left out, the end; a text that is no longer than that stands whole."""
    if len(text) <= HEAD + TAIL:
        return text
    middle = text[HEAD:-TAIL]
    headings = [heading.strip() for heading in _HEADING.findall(middle)][:HEADINGS]
    listed = "\n".join(headings)
    return (
        f"{text[:HEAD]}\n[… {len(middle):,} characters …]\n{listed}\n[…]\n{text[-TAIL:]}"
        if listed
        else f"{text[:HEAD]}\n[… {len(middle):,} characters …]\n{text[-TAIL:]}"
    )
