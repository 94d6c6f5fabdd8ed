"""The styles of text at a terminal: one table of names, which everything that prints uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Literal

from mmos.cli.guard import RESET, sequence

Style = Literal["bold", "dim", "italic", "underline", "strike", "error", "ok", "warning", "info", "keyword", "accent"]

CODES: dict[Style, str] = {
    "bold": "1", "dim": "2", "italic": "3", "underline": "4", "strike": "9",
    "error": "31", "ok": "32", "warning": "33", "info": "34", "keyword": "35", "accent": "36",
}  # fmt: skip


def colourless(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user wants no styles at all. An empty `NO_COLOR` counts as none."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"


def style(text: str, *styles: Style) -> str:
    """The text with these styles. `click.echo` removes them if there is no terminal."""
    return f"{begin(*styles)}{text}{RESET}" if styles and text else text


@cache
def begin(*styles: Style) -> str:
    return sequence(";".join(CODES[name] for name in styles) + "m")
