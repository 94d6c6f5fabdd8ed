"""Finds the run or the conversation that a command names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmos.journal import Journal


async def run_id(journal: Journal, text: str) -> str:
    """The id of a run, by its id or a unique part of it."""
    from mmos.views.listing import STARTS, find_run

    return find_run(await journal.read(kinds=STARTS), text)


async def thread_id(journal: Journal, text: str) -> str:
    """The id of a conversation, by its name, its id or a unique part of it."""
    from mmos.views.listing import THREAD_KINDS, find_thread

    return find_thread(await journal.read(kinds=THREAD_KINDS), text)
