"""Reads documents of Word as Markdown."""

from __future__ import annotations

import lzma
import re
import zlib
from html import unescape
from io import BytesIO
from typing import IO
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile

import mammoth

from mmos.library.reading.files import Text, Unreadable
from mmos.library.reading.html import of_html
from mmos.library.reading.titles import title_of

MOST = 10 << 20
"""Bytes of the texts in it, unpacked. A small file may unpack to more than any memory, and what reads the texts needs a hundred times as much."""
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".emf", ".wmf", ".ttf", ".odttf", ".bin")
"""They are not read."""
_PROTECTED = b"\xd0\xcf\x11\xe0"
_TITLE = re.compile(rb"<dc:title>([^<]{1,300})</dc:title>")
_FAULTS = (
    BadZipFile, zlib.error, lzma.LZMAError, ExpatError, EOFError, KeyError, ValueError, OSError, SyntaxError, AttributeError, TypeError, IndexError,
    RecursionError, RuntimeError, NotImplementedError,
)  # fmt: skip
"""What damaged files raise. Mammoth has no errors of its own, and those of a zip are of many kinds."""


def read(data: bytes) -> Text:
    if data.startswith(_PROTECTED):
        raise Unreadable("it is protected by a password, or of an old version of Word")
    file = BytesIO(data)
    try:
        with ZipFile(file) as packed:
            if sum(one.file_size for one in packed.infolist() if not one.filename.lower().endswith(_PICTURES)) > MOST:
                raise Unreadable(f"its text is larger than {MOST >> 20} MB, unpacked")
            named = _named(packed)
        file.seek(0)
        text = of_html(_html(file)).text
        return Text(text, title_of(text, "docx") or named)
    except _FAULTS as error:
        raise Unreadable("it is a damaged document") from error


def _named(packed: ZipFile) -> str:
    """The title among its properties. Often it is that of a template, so a heading goes before it."""
    found = _TITLE.search(packed.read("docProps/core.xml")) if "docProps/core.xml" in packed.namelist() else None
    return " ".join(unescape(found[1].decode("utf-8", "replace")).split()) if found else ""


def _html(file: IO[bytes]) -> str:
    html: str = mammoth.convert_to_html(file, convert_image=mammoth.images.img_element(lambda _: {"src": ""})).value
    return html
