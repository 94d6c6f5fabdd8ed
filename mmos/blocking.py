"""Runs a task from a script that is not async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmos.app import Answer, RunOptions, open_app
from mmos.errors import UsageError
from mmos.toolbox import Tool


def run_sync(
    task: str,
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    state: str | Path | None = None,
    thread: str | None = None,
    files: Iterable[str | Path] = (),
    tools: Iterable[Callable[..., Any] | Tool] = (),
    on_token: Callable[[str], None] | None = None,
    options: RunOptions | None = None,
) -> Answer:
    """Run one task and return the answer, in a script that is not async.

    It opens an app, runs the task and closes the app. For several tasks use `mmos.open`, which keeps the hosts connected.

    Args:
        task: What you want done.
        config: A configuration file, or a mapping in its place. None: the file that `mmos run` would use.
        state: The folder in which runs and threads are kept. None: nothing is kept.
        thread: The name or the id of a conversation to continue. A new name starts one. It needs a `state`.
        files: Files for the task: UTF-8 texts, and images for models that see images.
        tools: Your functions that the models may call.
        on_token: Called with each piece of the answer.
        options: Limits, other models and options for this run.

    Example::

        answer = mmos.run_sync("What is 17 * 23?", "orchestration.yaml", options=mmos.RunOptions(timeout="1m"))
        print(answer.text)
    """
    if _in_a_loop():
        raise UsageError(
            "run_sync cannot run inside an event loop, such as a notebook or an async function.",
            next_step="Write `async with mmos.open(…) as app: answer = await app.run(…)` instead.",
        )

    async def run() -> Answer:
        async with open_app(config, state=state, tools=tools) as app:
            return await app.run(task, thread=thread, files=files, on_token=on_token, options=options)

    return asyncio.run(run())


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
