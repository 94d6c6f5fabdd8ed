"""Where texts go that tools print and logs write while the page is drawn: onto it, line by line."""

from __future__ import annotations

import asyncio
import io

from mmos.cli.chat.page import Page
from mmos.cli.output import harmless


class Stray(io.TextIOBase):
    """A stream whose finished lines stand on the page."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._begun = ""
        self._loop = asyncio.get_running_loop()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        if lines:  # a tool may write in a thread of its own
            self._loop.call_soon_threadsafe(self._page.lines, [self._page.ink.dim(harmless(line)) for line in lines])
        return len(text)
