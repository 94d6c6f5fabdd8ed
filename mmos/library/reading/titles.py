"""Finds the title of a text: what it calls itself, or else the name of its file."""

from __future__ import annotations

import re

from mmos.library.outlines import MARKUP, outline

LONGEST = 150
_FRONT = re.compile(r"\A\s*---[ \t]*\n(?P<body>(?:[^\n]*\n){0,100}?)---[ \t]*(?:\n|\Z)")
_TITLE = re.compile(r"""^title:[ \t]*(?P<quote>["']?)(?P<title>[^\n]+?)(?P=quote)[ \t]*$""", re.MULTILINE | re.IGNORECASE)
_DOCSTRING = re.compile(r"""\A(?:\s*#[^\n]*\n)*\s*(?:\"\"\"|''')\s*(?P<title>[^\n]+?)(?:\"\"\"|'''|\n)""")
_PLACE = re.compile(r"\{\{|\{%|<%|\$\{")
"""A place that a template fills."""
_PROSE = re.compile(r"[.!?;:,]\s*$")
_WORDS = re.compile(r"[^\W_]+")


def title_of(text: str, language: str) -> str:
    """Empty: it has none."""
    if front := _FRONT.match(text):
        found = _TITLE.search(front["body"])
        if found and (title := _fit(found["title"])):
            return title
    if language == "python":
        found = _DOCSTRING.match(text[:5_000])
        return _fit(found["title"].rstrip(".")) if found else ""
    if language == "pdf":  # its headings are the numbers of its pages, and its first line is often that of a journal
        return ""
    if language in MARKUP or language in ("rst", "text"):
        return next(
            filter(None, (_fit(one.path.rpartition(" > ")[2]) for one in outline(text[:20_000], language)[1:4])), ""
        ) or _first_line(text)
    return ""


def _first_line(text: str) -> str:
    """The first line of an article, if it stands alone and is no sentence."""
    first, _, rest = text.lstrip().partition("\n")
    return _fit(first) if rest.startswith("\n") and not _PROSE.search(first) else ""


def _fit(title: str) -> str:
    title = " ".join(title.split())
    return title if len(title) <= LONGEST and _WORDS.search(title) and not _PLACE.search(title) else ""


def from_name(name: str) -> str:
    """The name of a file in words: `how-to_install.md` says how to install."""
    stem = name.rpartition(".")[0] or name
    return " ".join(re.split(r"[\s_\-.]+", stem)).strip() or name
