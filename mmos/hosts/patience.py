"""Watches the timeouts of one call with a single timer."""

from __future__ import annotations

import asyncio
from types import TracebackType

from mmos.hosts.face import Timeouts

SIGNS_OF_LIFE = 20
"""How many times `first_byte` a call waits at most while signs of life arrive. A proxy may send them for ever."""


class Patience:
    """Cancels the work inside it when a timeout has passed, and raises `TimeoutError`.

    Progress only notes the time. The timer compares it when it rings, and starts again. So a stream of ten thousand
    chunks costs one timer and not ten thousand.
    """

    __slots__ = ("_before", "_deadline", "_first", "_last_sign", "_latest", "_loop", "_pause", "_started", "_task", "_timer", "expired")

    expired: str
    """The name of the timeout that has passed. Empty: none has."""

    def __init__(self, timeouts: Timeouts, *, cold: bool = False) -> None:
        self._first = timeouts.first_byte + (timeouts.load if cold else 0.0)
        self._pause = timeouts.between_chunks
        self._deadline = timeouts.total
        self._started = False
        self.expired = ""

    def __enter__(self) -> Patience:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call to a host needs a task to run in")
        self._task = task
        self._before = task.cancelling()
        self._loop = task.get_loop()
        self._last_sign = self._loop.time()
        self._latest = self._last_sign + SIGNS_OF_LIFE * self._first
        if self._deadline is not None:
            self._deadline += self._last_sign
        self._set_timer(self._last_sign, self._due()[0])
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._timer.cancel()
        # As in asyncio.timeout: a cancellation from outside in the meantime comes first.
        if self.expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError(self.expired)

    def alive(self) -> None:
        """The host is alive and sent nothing of its response yet. The wait for the first byte starts again."""
        self._last_sign = self._loop.time()

    def progress(self) -> None:
        """Note that a part of the response arrived."""
        self._last_sign = self._loop.time()
        self._started = True

    def _due(self) -> tuple[float, str]:
        due, timeout = min(self._last_sign + self._first, self._latest), "first_byte"
        if self._started:
            due, timeout = self._last_sign + self._pause, "between_chunks"
        if self._deadline is not None and self._deadline < due:
            return self._deadline, "total"
        return due, timeout

    def _set_timer(self, now: float, due: float) -> None:
        # The first byte may come at any moment, and `between_chunks` may end before the rest of `first_byte`. So it never rings later than that.
        self._timer = self._loop.call_at(min(due, now + self._pause), self._ring)

    def _ring(self) -> None:
        now, (due, timeout) = self._loop.time(), self._due()
        if now < due:
            self._set_timer(now, due)
        else:
            self.expired = timeout
            self._task.cancel()
