"""Queues the user's lines: lines typed ahead at a terminal, and lines still to be read from stdin."""

from __future__ import annotations

import asyncio
import os
from collections import deque

BLOCK = 65536


class Inbox:
    """A first-in, first-out queue of lines that were typed ahead."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, text: str) -> None:
        self.waiting.append(text)
        self._news.set()

    def close(self) -> None:
        """Accept no more lines. Lines in the queue are still served."""
        self._closed = True
        self._news.set()

    def clear(self) -> list[str]:
        """Remove and return all waiting lines."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    async def next(self) -> str | None:
        """Wait for the next line. None: no more lines will come."""
        while not self.waiting:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self.waiting.popleft()


class Lines:
    """Reads lines from a pipe, a file or a simple terminal. It does not read ahead, and its wait can be cancelled."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready: deque[str] = deque()
        self._begun = b""
        self._ended = False

    async def next(self) -> str | None:
        """Read the next line without its line break. None at the end of the input."""
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
        except PermissionError:  # a file or /dev/null: always readable
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)
