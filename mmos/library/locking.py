"""Lets one process at a time write a collection. Readers never wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mmos.errors import StateBusy
from mmos.journal.process import FileLock
from mmos.library import faults

PATIENCE = 600.0
"""Seconds that a writer waits for another one."""
_PAUSE = 0.05
_ENDING = ".lock"


def is_address(place: str) -> bool:
    """Whether it is the address of an object store, like `s3://bucket/library`, and no folder."""
    return "://" in place


@asynccontextmanager
async def writing(
    place: str, collection: str, *, on_wait: Callable[[], None] | None = None, patience: float = PATIENCE
) -> AsyncIterator[None]:
    """Hold the lock of a collection. `on_wait` is called once if another process holds it.

    An object store has no locks. There, the keys of the rows keep writers apart.
    """
    if is_address(place):
        yield
        return
    lock = await _taken(Path(place) / f"{collection}{_ENDING}", on_wait, patience)
    try:
        yield
    finally:
        lock.release()  # The file stays: if it went, two processes could hold two files of the same name.


async def _taken(path: Path, on_wait: Callable[[], None] | None, patience: float) -> FileLock:
    """It tries again after a moment, because a file lock sends no event when it is released."""
    with faults.told(str(path.parent)):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock, deadline, told = FileLock(path), time.monotonic() + patience, False
    while True:
        try:
            with faults.told(str(path)):
                lock.take()
        except StateBusy:
            if time.monotonic() >= deadline:
                raise
        else:
            return lock
        if not told and on_wait is not None:
            on_wait()
        told = True
        await asyncio.sleep(_PAUSE)
