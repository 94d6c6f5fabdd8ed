"""Reads documents of Word as Markdown."""

from __future__ import annotations

from io import BytesIO
from typing import IO
from zipfile import BadZipFile, ZipFile

import mammoth

from mmos.library.reading.files import Text, Unreadable
from mmos.library.reading.html import of_html

MOST = 200 << 20
"""Bytes of all parts together, unpacked. A small file may claim to be larger than any memory."""


def read(data: bytes) -> Text:
    file = BytesIO(data)
    try:
        with ZipFile(file) as packed:
            if sum(one.file_size for one in packed.infolist()) > MOST:
                raise Unreadable(f"unpacked, it is larger than {MOST >> 20} MB")
        file.seek(0)
        return of_html(_html(file))
    except (
        BadZipFile,
        KeyError,
        ValueError,
        OSError,
        SyntaxError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:  # mammoth has no errors of its own
        raise Unreadable("it is a damaged document") from error


def _html(file: IO[bytes]) -> str:
    html: str = mammoth.convert_to_html(file, convert_image=mammoth.images.img_element(lambda _: {"src": ""})).value
    return html
