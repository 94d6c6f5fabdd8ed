"""Lines of stdin as they come, from a pipe, a file or a terminal that edits its own lines; a wait for one can be cancelled."""

from __future__ import annotations

import asyncio
import os
from collections import deque

BLOCK = 65536


class Lines:
    """Reads what is there and nothing ahead of it."""

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
