"""Lines that were typed and wait for their turn."""

from __future__ import annotations

import asyncio
from collections import deque


class Inbox:
    """First come, first served; what is typed ahead is kept until its turn comes."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, text: str) -> None:
        self.waiting.append(text)
        self._news.set()

    def close(self) -> None:
        """Nothing more will come; what is there is still served."""
        self._closed = True
        self._news.set()

    def clear(self) -> list[str]:
        """Take back all that waits."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    async def next(self) -> str | None:
        """The next line, or None when there will be none."""
        while not self.waiting:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self.waiting.popleft()
