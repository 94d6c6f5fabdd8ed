"""Writes to the shelf on a thread, one change after the other, so that no request waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

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
        self._unwritten: dict[bytes, tuple[Key, Kept]] = {}
        self._task: asyncio.Task[None] | None = None
        self.fault = ""
        """Why the file cannot be used. Empty: it can."""

    def add(self, key: Key, kept: Kept) -> None:
        if self.fault:
            return
        answer = self._unwritten[key.exact] = key, replace(kept, words=key.words)

        def write() -> None:
            try:
                self._shelf.add(key, kept)
            finally:
                if self._unwritten.get(key.exact) is answer:
                    del self._unwritten[key.exact]

        self.change(write)

    def find(self, keys: Iterable[Key]) -> tuple[bytes, Kept] | None:
        """An answer to exactly this request that is not in the file yet, with its key."""
        found = (self._unwritten.get(key.exact) for key in keys)
        return next(((key.exact, kept) for key, kept in filter(None, found)), None)

    def alike(self, keys: Iterable[Key]) -> list[tuple[bytes, Kept]]:
        """The answers to requests with other words of the same form that are not in the file yet."""
        wanted = {(key.rest, key.form) for key in keys if key.rest}
        return [(key.exact, kept) for key, kept in [*self._unwritten.values()] if (key.rest, key.form) in wanted]

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
