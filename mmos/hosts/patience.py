"""The watchdog of one call: a single timer with a limit for each phase of the call."""

from __future__ import annotations

import asyncio
from types import TracebackType

from mmos.hosts.face import Timeouts

SIGNS_OF_LIFE = 20
"""How often the wait for the first byte may begin anew: a proxy that says "still there" for ever is no host that answers."""


class Patience:
    """Cancels the work inside it when a stage takes too long, and turns that into `TimeoutError`.

    Progress only stamps the time. The timer looks at the stamp when it rings and sets itself anew, so a stream of
    ten thousand chunks costs one timer and not ten thousand.
    """

    __slots__ = ("_before", "_deadline", "_first", "_heard", "_latest", "_loop", "_pause", "_started", "_task", "_timer", "expired")

    expired: str
    """The stage that took too long; empty while none has."""

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
        self._heard = self._loop.time()
        self._latest = self._heard + SIGNS_OF_LIFE * self._first
        if self._deadline is not None:
            self._deadline += self._heard
        self._timer = self._loop.call_at(self._due()[0], self._ring)
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._timer.cancel()
        # The same bargain as asyncio.timeout: a cancellation from outside that came meanwhile has the right of way.
        if self.expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError(self.expired)

    def alive(self) -> None:
        """A sign of life came, and nothing of the answer yet: the wait for its first byte begins anew."""
        self._heard = self._loop.time()

    def progress(self) -> None:
        """Something came."""
        self._heard = self._loop.time()
        if not self._started:
            self._started = True
            self._hurry()  # a pause may be shorter than what is left of the wait for the first byte

    def _due(self) -> tuple[float, str]:
        due, stage = min(self._heard + self._first, self._latest), "first_byte"
        if self._started:
            due, stage = self._heard + self._pause, "between_chunks"
        if self._deadline is not None and self._deadline < due:
            return self._deadline, "total"
        return due, stage

    def _hurry(self) -> None:
        due, _ = self._due()
        if due < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        due, stage = self._due()
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._ring)
        else:
            self.expired = stage
            self._task.cancel()
