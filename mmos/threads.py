"""Runs a blocking function on its own thread. The process can end before the thread, and an error in the thread does not end the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

_ENDS = (SystemExit, KeyboardInterrupt, StopIteration)
"""Exceptions that would end the program, or that a future cannot hold."""


async def on_thread(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    """Run the function on a thread and return its result. If the caller is cancelled, the thread continues, because Python cannot stop a thread."""
    loop = asyncio.get_running_loop()
    outcome = _Outcome(loop.create_future())

    def work() -> None:
        with outcome:
            outcome.result = function(*arguments, **keywords)
        if not loop.is_closed():
            loop.call_soon_threadsafe(outcome.settle)

    threading.Thread(target=work, name="mmos-tool", daemon=True).start()
    return await outcome.future


class _Outcome:
    """Carries the result or the exception of a function from its thread to the caller."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future
        self.result: Any = None
        self.fault: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> bool:
        self.fault = RuntimeError(f"{type(fault).__name__}: {fault}".removesuffix(": ")) if isinstance(fault, _ENDS) else fault
        return True

    def settle(self) -> None:
        if self.future.done():
            return
        if self.fault is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.fault)
