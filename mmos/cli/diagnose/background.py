"""Does work in a process of its own, which nobody waits for."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

MOST_FILES = 1 << 16


def in_background(work: Callable[[], None], files: Collection[int]) -> None:
    """Do the work in a process that has only these files open, and no terminal. What it prints is lost."""
    if os.fork():
        return
    try:
        os.setsid()
        kept = sorted(files)
        for start, end in zip([0, *(number + 1 for number in kept)], [*kept, MOST_FILES], strict=True):
            os.closerange(start, end)
        work()
    finally:
        os._exit(0)
