"""Reads the text of PDF files, page by page."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from mmos.library.reading.files import Text, Unreadable

MOST_PAGES = 5_000
MOST_STEPS = 3_000_000
"""Steps of drawing in all pages. A book of a thousand pages has two million; pypdf takes a minute for one million."""
LARGEST_PAGE = 4 << 20
"""Bytes of the steps of one page. A page with more is a map or a plan, and is left out like a picture."""
_FAULTS = (
    PyPdfError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
    OSError,
    NotImplementedError,
    AssertionError,
    ZeroDivisionError,
)
"""What damaged files raise in pypdf."""


def read(data: bytes) -> Text:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of each little fault in a file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = PdfReader(BytesIO(data))
            if reader.is_encrypted and not reader.decrypt(""):
                raise Unreadable("it is protected by a password")
            if len(reader.pages) > MOST_PAGES:
                raise Unreadable(f"it has more than {MOST_PAGES:,} pages")
            return Text("\n\n".join(_pages(reader)), _title(reader))
    except _FAULTS as error:
        raise Unreadable("it is a damaged PDF") from error


def _pages(reader: PdfReader) -> Iterator[str]:
    """The text of each page below its number. Pages without a text, such as pictures of pages, are left out."""
    count = _Steps()
    for number, page in enumerate(reader.pages, 1):
        drawn = page.get_contents()
        if drawn is None or len(drawn.get_data()) > LARGEST_PAGE:
            continue
        if text := page.extract_text(visitor_operand_before=count).strip():
            yield f"# page {number}\n\n{text}"


class _Steps:
    """Counts the steps of drawing. A small file may have them without end, by parts that draw themselves again and again."""

    def __init__(self) -> None:
        self.left = MOST_STEPS

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise Unreadable(f"it takes more than {MOST_STEPS:,} steps to draw it")


def _title(reader: PdfReader) -> str:
    title = str((reader.metadata and reader.metadata.title) or "").strip()
    return "" if title.lower() in ("untitled", "document") or title.lower().endswith((".doc", ".docx", ".indd", ".tex", ".dvi")) else title
