"""Decides when a host that failed gets calls again, and one that loads no more gets loads again."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.placement.facts import Failure

NEVER = float("-inf")
FIRST_PAUSE: dict[Failure, float] = {"gone": 2.0, "silent": 20.0, "error": 5.0}
"""A try costs its caller milliseconds when nothing listens, and minutes when the host shows no progress."""
LONGEST_PAUSE: dict[Failure, float] = {"gone": 30.0, "silent": 60.0, "error": 30.0}
SPREAD = 0.2
"""The part by which a pause is shorter or longer, so that several clients do not come all at once."""
TOLERATED = 3
"""Errors in a row that close a host, or a model there. The calls of the first ones have gone elsewhere."""
SPAN = 60.0
MANY = 5
"""So many calls within that many seconds close it, too, if half of them failed."""
BUSY_PAUSE = 1.0
REFUSED = {"memory": 600.0, "missing": 60.0}
"""Seconds during which a model is not loaded on a host after such a failure."""
NOT_THE_HOST: frozenset[Failure] = frozenset({"missing", "memory"})


@dataclass(slots=True)
class Stuck:
    """A host that loads no more. It still serves what it holds."""

    model: str
    """The model that it did not load, or not unload."""
    load: float
    """When that began. A load is judged once."""
    since: float
    """When that was noticed first."""
    until: float
    """When the next load may be tried."""
    tries: int = 1
    """Loads in a row that did not end."""
    rescue_at: float = 0.0
    """When the next model may be unloaded, so that the host goes on."""
    foreign: tuple[str, ...] = ()
    """Models in its memory that nobody has called here."""


@dataclass(slots=True)
class Breaker:
    """Keeps calls away from a host, or from a model there, for a while after failures, then lets one call try it."""

    failures: int = 0
    """In a row."""
    until: float = NEVER
    on_trial: bool = False
    """Whether it may get only one call, because it was closed and has not answered since."""
    by_share: bool = False
    """Whether the share of calls that failed counts, too. Not for a host: one of its models may fail, and the others be well."""
    stuck: Stuck | None = None
    listed: float = NEVER
    """When it was asked for the list of loaded models that it gave last."""
    _clean: bool = True
    """Whether nothing has ever failed."""
    _since: float = NEVER
    """When the span began in which calls are counted: with the first failure."""
    _calls: int = 0
    _failed: int = 0

    def loads(self, now: float) -> bool:
        """Whether a load may be tried."""
        return self.stuck is None or now >= self.stuck.until

    def is_open(self, now: float) -> bool:
        return now < self.until

    def failed(self, failure: Failure, now: float, pause: float | None = None) -> None:
        self._clean = False
        if failure == "busy":
            self.until = max(self.until, now + (BUSY_PAUSE if pause is None else pause))
            return
        self.failures += 1
        if now - self._since > SPAN:
            self._since, self._calls, self._failed = now, 0, 0
        self._calls += 1
        self._failed += 1
        seldom = not self.by_share or self._calls < MANY or 2 * self._failed < self._calls
        if failure == "error" and self.failures < TOLERATED and seldom and not self.on_trial:
            return
        again = self.failures - (TOLERATED if failure == "error" else 1)
        seconds = min(LONGEST_PAUSE[failure], FIRST_PAUSE[failure] * 2.0 ** max(0, min(10, again)))
        self.until = max(self.until, now + seconds * (1.0 + SPREAD * (2.0 * (now * 7919.0 % 1.0) - 1.0)))
        self.on_trial = True

    def answered(self) -> None:
        """A call brought a reply."""
        if self._clean and self.until == NEVER:
            return
        self.failures = 0
        self.until = NEVER
        self.on_trial = False
        self._calls += 1
