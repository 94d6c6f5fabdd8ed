"""Runs a blocking function on a thread of its own, which neither keeps the process alive nor ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

_ENDS = (SystemExit, KeyboardInterrupt, StopIteration)
"""What would end the program, or cannot travel through a future."""


async def on_thread(function: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    """What the function gives. A caller that is cancelled leaves it running: Python can stop no thread, but nobody waits for it."""
    loop = asyncio.get_running_loop()
    outcome = _Outcome(loop.create_future())

    def work() -> None:
        with outcome:
            outcome.result = function(*given, **named)
        if not loop.is_closed():
            loop.call_soon_threadsafe(outcome.settle)

    threading.Thread(target=work, name="mmos-tool", daemon=True).start()
    return await outcome.future


class _Outcome:
    """Carries what a function gave, or its fault, from its thread to whoever waits: nothing is caught here, it is passed on."""

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
