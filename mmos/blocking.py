"""MMOS for scripts that are not async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmos.app import Answer, RunOptions, open_app


def run_sync(
    task: str,
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    state: str | Path | None = None,
    thread: str | None = None,
    files: Iterable[str | Path] = (),
    on_token: Callable[[str], None] | None = None,
    options: RunOptions | None = None,
) -> Answer:
    """One task from ask to answer, in an event loop of its own."""

    async def run() -> Answer:
        async with open_app(config, state=state) as app:
            return await app.run(task, thread=thread, files=files, on_token=on_token, options=options)

    return asyncio.run(run())
