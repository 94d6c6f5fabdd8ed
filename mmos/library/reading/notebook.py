"""Reads Jupyter notebooks as Markdown: their texts and their code, without what the code printed."""

from __future__ import annotations

from typing import Any

import orjson

from mmos.fences import fence
from mmos.library.reading.files import Text, Unreadable


def read(data: bytes) -> Text:
    try:
        notebook = orjson.loads(data)
        cells = notebook["cells"]
        language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", ""))
        return Text("\n\n".join(filter(None, (_cell(one, language) for one in cells))))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable("it is no notebook in version 4") from error


def _cell(cell: dict[str, Any], language: str) -> str:
    source = cell.get("source", "")
    text = ("".join(source) if isinstance(source, list) else str(source)).strip()
    if not text or cell.get("cell_type") == "raw":
        return ""
    if cell.get("cell_type") == "markdown":
        return text
    marks = fence(text)
    return f"{marks}{language}\n{text}\n{marks}"
