"""Writes to the shelf on a thread, one change after the other, so that no request waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mmos.cache.kept import Kept
from mmos.cache.keys import Key
from mmos.cache.shelf import Shelf
from mmos.errors import StateBusy, StateError
from mmos.threads import on_thread

Change = Callable[[], object]


class Writing:
    """The changes that are on their way to a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._changes: list[Change] = []
        self._unwritten: dict[bytes, Kept] = {}
        self._task: asyncio.Task[None] | None = None
        self.fault = ""
        """Why the file cannot be used. Empty: it can."""

    def add(self, key: Key, kept: Kept) -> None:
        if self.fault:
            return
        self._unwritten[key.exact] = kept

        def write() -> None:
            try:
                self._shelf.add(key, kept)
            finally:
                if self._unwritten.get(key.exact) is kept:
                    del self._unwritten[key.exact]

        self.change(write)

    def kept(self, key: bytes) -> Kept | None:
        """An answer that is not in the file yet."""
        return None if self.fault else self._unwritten.get(key)

    def change(self, change: Change) -> None:
        """Make a change soon. One that another process is in the way of is left out: it is a cache."""
        if self.fault:
            return
        self._changes.append(change)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def settled(self) -> None:
        """Return when all changes so far are made."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _write(self) -> None:
        try:
            while self._changes:
                changes, self._changes = self._changes, []
                await on_thread(self._make, changes)
        finally:
            self._task = None

    def _make(self, changes: list[Change]) -> None:
        for change in changes:
            try:
                change()
            except StateBusy:
                continue
            except StateError as error:
                self.fault = str(error)
