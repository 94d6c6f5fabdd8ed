"""Reads HTML as Markdown. Scripts, styles and what a browser does not show are left out, and nothing is fetched."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

from mmos.library.reading.files import Text, Unreadable
from mmos.library.reading.plain import decoded

HIDDEN = ("script", "style", "noscript", "template", "svg", "head", "iframe", "object", "nav", "form")
_LINES = re.compile(r"\n{3,}")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]+)", re.IGNORECASE)
DEEPEST = 300
"""Levels of elements in each other. The converter goes down one call a level."""


def read(data: bytes) -> Text:
    return of_html(_decoded(data))


def _decoded(data: bytes) -> str:
    declared = _CHARSET.search(data[:2_048])
    if declared is not None:
        try:
            return data.decode(declared[1].decode())
        except (LookupError, UnicodeDecodeError):
            pass
    return decoded(data)


def of_html(source: str) -> Text:
    soup = BeautifulSoup(source, "html.parser")
    if _depth(soup) > DEEPEST:
        raise Unreadable(f"its elements are nested deeper than {DEEPEST} levels")
    title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for one in soup(list(HIDDEN)):
        one.decompose()
    text = MarkdownConverter(heading_style="ATX", bullets="-", strip=["img", "a"]).convert_soup(soup.body or soup)
    return Text(_LINES.sub("\n\n", text).strip() + "\n" if text.strip() else "", title)


def _depth(soup: Any) -> int:
    deepest, open_ = 0, [(soup, 0)]
    while open_:
        element, depth = open_.pop()
        deepest = max(deepest, depth)
        open_ += [(child, depth + 1) for child in element.children if getattr(child, "children", None) is not None]
    return deepest
