"""Draws live tables and bars with rich at a terminal: it writes sequences of its own, and every text in them is cleaned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mmos.cli.guard import Guard
from mmos.cli.text import harmless


class CleanConsole(Console):
    """Writes past the guard of its stream."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(file=stream.unguarded if isinstance(stream, Guard) else stream, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))
