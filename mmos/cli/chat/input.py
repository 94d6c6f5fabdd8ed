"""Lines of the user that wait for their turn: typed ahead at a terminal, or still to be read from stdin."""

from __future__ import annotations

import asyncio
import os
from collections import deque

BLOCK = 65536


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


class Lines:
    """Lines of a pipe, a file, or a terminal that edits its own: reads what is there and nothing ahead of it, and a wait can be cancelled."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready: deque[str] = deque()
        self._begun = b""
        self._ended = False

    async def next(self) -> str | None:
        """The next line without its end; None at the end of the input."""
        while not self._ready and not self._ended:
            await self._readable()
            self._take(os.read(self._descriptor, BLOCK))
        return self._ready.popleft() if self._ready else None

    def _take(self, block: bytes) -> None:
        if not block:
            self._ended = True
            block = b"\n" if self._begun else b""
        *lines, self._begun = (self._begun + block).split(b"\n")
        self._ready.extend(line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, ready.set)
        except PermissionError:  # a file, or /dev/null: it never lets anybody wait
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)
