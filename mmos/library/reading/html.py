"""Reads HTML as Markdown. Scripts, styles and what a browser does not show are left out, and nothing is fetched."""

from __future__ import annotations

import re
import warnings
from typing import Any

from bs4 import BeautifulSoup, Declaration, ProcessingInstruction
from bs4.exceptions import ParserRejectedMarkup
from markdownify import MarkdownConverter

from mmos.library.reading.files import Text, Unreadable
from mmos.library.reading.plain import decoded

HIDDEN = ("script", "style", "noscript", "template", "svg", "head", "iframe", "object", "nav", "button", "select", "textarea")
_LINES = re.compile(r"\n{3,}")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]+)", re.IGNORECASE)
DEEPEST = 300
"""Levels of elements in each other. The converter goes down one call a level."""
LARGEST = 16 << 20
"""Characters. The parser needs many times as much memory, and two seconds for each million."""


_CELLS = frozenset({"td", "th"})
_BLOCKS = ("p", "div", "ul", "ol", "dl", "table", "pre", "blockquote", "section", "article", "hr", "h1", "h2", "h3", "h4", "h5", "h6")
_ENDS = {
    "li": frozenset({"li"}), "dt": frozenset({"dt", "dd"}), "dd": frozenset({"dt", "dd"}),
    "td": _CELLS, "th": _CELLS, "tr": frozenset({"tr"}), **dict.fromkeys(_BLOCKS, frozenset({"p"})),
}  # fmt: skip
"""Which open elements an element ends. Old pages close none of them, and each would then be in the one before."""
_HOLDERS = frozenset({"ul", "ol", "dl", "table", "div", "blockquote", "section", "article", "body"})
"""What is open around them stays open."""
_HOLDS_PARAGRAPHS = _HOLDERS | _CELLS | {"li", "dd"}


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
    if len(source) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST >> 20} million characters of HTML")
    soup = _parsed(source)
    if _depth(soup) > DEEPEST:
        raise Unreadable(f"its elements are nested deeper than {DEEPEST} levels")
    named = soup.find(lambda one: one.name == "title" and one.find_parent("svg") is None)
    title = " ".join(named.get_text().split()) if named else ""
    for one in soup(list(HIDDEN)):
        one.decompose()
    for mark in soup.find_all(string=lambda text: isinstance(text, ProcessingInstruction | Declaration)):
        mark.extract()
    text = MarkdownConverter(heading_style="ATX", bullets="-", strip=["img", "a"]).convert_soup(soup.body or soup)
    return Text(_LINES.sub("\n\n", text).strip() + "\n" if text.strip() else "", title)


def _parsed(source: str) -> BeautifulSoup:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of texts that look like an address or like XML
            return _Soup(_closed(source), "html.parser")
    except (ParserRejectedMarkup, AssertionError) as error:
        raise Unreadable("it is no HTML that can be read") from error


class _Soup(BeautifulSoup):
    """Ends elements that pages leave open, as browsers do."""

    def handle_starttag(self, name: str, *rest: Any, **more: Any) -> Any:
        if ends := _ENDS.get(name):
            holders = _HOLDS_PARAGRAPHS if "p" in ends else _HOLDERS
            element: Any = self.currentTag
            while element is not None and element.name not in ends and element.name not in holders:
                element = element.parent
            if element is not None and element.name in ends:
                self.handle_endtag(element.name)
        return super().handle_starttag(name, *rest, **more)


def _closed(source: str) -> str:
    """The source without what is opened at its end and never closed: the parser looks for the end again from each such place, which can take hours."""
    opened = source.find("<!--", source.rfind("-->") + 1)
    if opened >= 0:
        source = source[:opened]
    last = source.rfind(">") + 1
    return source[:last] + source[last:].replace("<", "&lt;")


def _depth(soup: Any) -> int:
    deepest, open_ = 0, [(soup, 0)]
    while open_:
        element, depth = open_.pop()
        deepest = max(deepest, depth)
        open_ += [(child, depth + 1) for child in element.children if getattr(child, "children", None) is not None]
    return deepest
