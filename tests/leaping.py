"""Tests whose time is simulated: nobody waits, and a busy machine changes no duration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from mmos.simulation.leap import LeapingLoop

Given = ParamSpec("Given")


def leaping(test: Callable[Given, Coroutine[Any, Any, None]]) -> Callable[Given, None]:
    """Run a test on a loop whose clock jumps to the next timer. For servers in this loop, too; not for threads and processes."""

    @wraps(test)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Seconds on the clock of such a test. Give it to a host: `Host(…, steady=now)`."""
    return asyncio.get_running_loop().time()
