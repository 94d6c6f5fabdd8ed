"""A call's place on a host, which the engine can take away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.errors import HostError
from mmos.fleet.residents import Stay
from mmos.fleet.seats import Seat
from mmos.hosts.face import OnToken
from mmos.placement.facts import Alternative, Load, Send


class Recalled(Exception):
    """The engine gave up an attempt, because its host showed no progress and another one can serve the call."""


@dataclass(eq=False)
class Place:
    """The place of one attempt. Use it as a context: when the engine takes the place away, `Recalled` is raised, and the call waits again."""

    seat: Seat
    send: Send
    loads: bool = False
    """Whether the host loads the model for this attempt."""
    emptied: bool = False
    """Whether MMOS unloaded another model for that."""
    load: Load | None = None
    """The load of its model that was decided last, if no call has had it yet."""
    held: Mapping[str, Stay] = field(default_factory=dict)
    """What the host was known to hold when the call was sent."""
    sent: float = 0.0
    """In the host's seconds, like `begun`."""
    express: bool = False
    """Whether it is the only place that its call can have. Then nobody needs to know how far it is."""
    begun: float | None = field(default=None, init=False)
    """When the first part of the reply came."""
    left: bool = field(default=False, init=False)
    """Whether its call has left, and only the load goes on."""
    _stop: Callable[[], object] | None = field(default=None, init=False)
    _task: asyncio.Task[Any] | None = field(default=None, init=False)
    _before: int = field(default=0, init=False)
    _recalled: bool = field(default=False, init=False)

    def __enter__(self) -> Place:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task else 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        task, self._task = self._task, None
        if not self._recalled or task is None:
            return
        # As in asyncio.timeout: a cancellation from outside in the meantime comes first.
        if task.uncancel() <= self._before and kind is not None and issubclass(kind, asyncio.CancelledError | HostError):
            raise Recalled from error

    @property
    def is_only_recalled(self) -> bool:
        """Whether the engine took it away, and nobody cancelled the call."""
        return self._recalled and self._task is not None and self._task.cancelling() == self._before + 1

    @property
    def reasons(self) -> dict[str, Any]:
        """Why the engine decided so, in seconds: the terms that are not zero, what other hosts would have taken, and the load for it."""
        terms, pace = self.send.terms, self.seat.pace
        found: dict[str, Any] = {
            name: short for name, value in zip(terms._fields, terms, strict=True) if value and (short := round(value * pace, 3))
        }
        found["expected"] = round(terms.until_done * pace, 3)
        if self.send.others:
            found["elsewhere"] = [_as_json(other, pace) for other in self.send.others]
        if self.load is not None:
            seconds = {name: round(value * pace, 3) for name, value in self.load.terms._asdict().items()}
            found["load"] = {"victims": list(self.load.victims), **seconds}
        return found

    def begin(self, now: float) -> None:
        """A part of the reply has come: the model is in memory. Nobody wants more of a reply whose call has left."""
        if self.begun is None:
            self.begun = now
        if self._stop is not None:
            self._stop()

    def abandon(self, stop: Callable[[], object]) -> None:
        """The call has left. `stop` ends its request when the model is in memory."""
        self.left, self._stop = True, stop

    def listening(self, on_token: OnToken | None) -> OnToken | None:
        """Pass pieces of the text on until the call has left."""
        return None if on_token is None else lambda piece: None if self.left else on_token(piece)

    def recall(self) -> None:
        if self._task is not None and not self._recalled:
            self._recalled = True
            self._task.cancel()


def _as_json(other: Alternative, pace: float) -> dict[str, Any]:
    seconds = None if other.seconds is None else round(other.seconds * pace, 3)
    return {"host": other.host, "seconds": seconds, "wait": round(other.wait * pace, 3), "why": other.why}
