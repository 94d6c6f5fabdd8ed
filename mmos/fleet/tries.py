"""Follows one call through its attempts: which hosts may still serve it, and when each may be tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from mmos.errors import BadRequest, HostBusy, HostError, HostTimeout, HostUnreachable, ModelMissing, OutOfMemory, StreamCut, WindowExceeded
from mmos.hosts.face import ChatRequest
from mmos.placement.facts import Failure
from mmos.prompting.budget import estimate, weigh

if TYPE_CHECKING:
    from tenacity.wait import wait_base

ATTEMPTS = 3
"""Attempts of one call on one host when its error may pass."""

FIRST_PAUSE = 0.2
LONGEST_BACKOFF = 5.0
LONGEST_PAUSE = 30.0
"""Seconds of the host's time. A busy host may ask for more."""

LONGEST_ASKED = 600.0
"""A host that asks for a longer pause counts as one that does not work."""
TOO_MANY = 429
"""The status of a server that limits how many requests a client makes."""

TEMPLATE = 16384
"""Tokens that the template of a model adds at most."""

UNLIKELY = 4.0
"""MMOS does not believe a host that refuses a prompt as too long when its estimate is below one such part of the window."""


@dataclass
class Tries:
    """The attempts of one call. Times are seconds of MMOS's clock."""

    hosts: list[str]
    """The hosts that may still serve the call."""
    several: bool = False
    """Whether the call may be answered by another model of a host that lacks one, or has no memory for it."""
    errors: dict[str, HostError] = field(default_factory=dict)
    """The last errors of hosts that cannot serve it, in the order in which they were given up."""
    _made: dict[str, int] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def ready(self, now: float) -> tuple[str, ...]:
        """The hosts that may be tried now."""
        return tuple(host for host in self.hosts if self._due.get(host, now) <= now) if self._due else tuple(self.hosts)

    def pause(self, now: float) -> float:
        """Seconds until the first host may be tried again."""
        return max(0.0, min(self._due[host] for host in self.hosts) - now)

    def failed(self, host: str, error: HostError, now: float, time_scale: float, *, wakes: bool = False) -> None:
        """An attempt failed: the host may be tried later, or it is given up. `wakes`: it is being woken. One that is busy is never given up."""
        self._made[host] = self._made.get(host, 0) + 1
        again = error.retry or (self.several and isinstance(error, ModelMissing | OutOfMemory))
        if wakes or _is_full(error) or (again and self._made[host] < ATTEMPTS):
            self._due[host] = now + self._pause(host, error) / time_scale
        else:
            self.hosts.remove(host)
            self.errors[host] = error

    def _pause(self, host: str, error: HostError) -> float:
        """Seconds: what the host asks for. Default: none after a broken connection, then longer each time, with chance, so that callers do not come all at once."""
        first = self._made[host] == 1
        if isinstance(error, HostBusy) and (first or error.retry_after is not None):
            return min(error.retry_after or FIRST_PAUSE, LONGEST_PAUSE)
        if first and isinstance(error, StreamCut):
            return 0.0
        return _backoff(self._made[host])


def _is_full(error: HostError) -> bool:
    """Whether a host says that it has no room for a call at the moment. A limit on requests of which it does not say when it ends may last for days."""
    if not isinstance(error, HostBusy):
        return False
    return error.full and error.status != TOO_MANY if error.retry_after is None else error.retry_after <= LONGEST_ASKED


def _backoff(attempt: int) -> float:
    from tenacity import AsyncRetrying, RetryCallState  # most calls do not fail, and need no library for it

    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = attempt
    return _strategy()(state)


@cache
def _strategy() -> wait_base:
    """A short pause, then longer ones with chance in them, so that callers do not come all at once."""
    from tenacity import wait_chain, wait_fixed, wait_random_exponential

    return wait_chain(wait_fixed(FIRST_PAUSE), wait_random_exponential(multiplier=2 * FIRST_PAUSE, max=LONGEST_BACKOFF))


def is_final(error: HostError, request: ChatRequest, *, others: bool) -> bool:
    """Whether nobody can serve the request after this error. `others`: further hosts may serve it."""
    return not (error.elsewhere or error.retry or (others and _is_doubtful(error, request)))


def _is_doubtful(error: HostError, request: ChatRequest) -> bool:
    """Whether other hosts may still serve a refused request: the host gave no known reason, or the prompt is far below its window."""
    if isinstance(error, BadRequest):
        return error.unexplained
    return isinstance(error, WindowExceeded) and tokens_of(request) * UNLIKELY < request.num_ctx


def tokens_of(request: ChatRequest) -> float:
    """The estimated tokens of the prompt."""
    return sum(map(weigh, request.messages)) + estimate(request.tools.decode())


def most_tokens(request: ChatRequest) -> int:
    """The highest count of tokens that is possible: one for each byte, and some for the words that a template adds."""
    return sum(len(message.wire) for message in request.messages) + len(request.tools) + TEMPLATE


def failure_of(error: HostError, *, several: bool = False) -> Failure | None:
    """What an error says of its host. None: it says nothing, or only that a model is not there, which matters only to a call that `several` models may answer."""
    if isinstance(error, ModelMissing):
        return "missing" if several else None
    if not (error.elsewhere or error.retry):
        return None
    kinds: tuple[tuple[type[HostError], Failure], ...] = (
        (HostUnreachable, "gone"),
        (HostTimeout, "silent"),
        (HostBusy, "busy"),
        (OutOfMemory, "memory"),
    )
    return next((failure for kind, failure in kinds if isinstance(error, kind)), "error")
