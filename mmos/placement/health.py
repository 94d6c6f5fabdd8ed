"""Decides when a host that failed gets calls again, and one that loads no more gets loads again."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.placement.facts import Failure

FIRST_PAUSE = 2.0
SILENT_PAUSE = 20.0
"""After a host that showed no progress: each try costs its caller minutes, not milliseconds."""
LONGEST_PAUSE = 60.0
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
    """Keeps calls away from a host for a while after a failure, then lets one call try it."""

    failures: int = 0
    """In a row."""
    until: float = float("-inf")
    stuck: Stuck | None = None
    listed: float = float("-inf")
    """When it was asked for the list of loaded models that it gave last."""

    def loads(self, now: float) -> bool:
        """Whether a load may be tried."""
        return self.stuck is None or now >= self.stuck.until

    def is_open(self, now: float) -> bool:
        return now < self.until

    @property
    def on_trial(self) -> bool:
        """Whether it may get only one call, because its last call failed."""
        return self.failures > 0

    def failed(self, failure: Failure, now: float, pause: float | None = None) -> None:
        if failure == "busy":
            self.until = max(self.until, now + (BUSY_PAUSE if pause is None else pause))
            return
        self.failures += 1
        first = SILENT_PAUSE if failure == "silent" else FIRST_PAUSE
        self.until = max(self.until, now + min(LONGEST_PAUSE, first * 2.0 ** min(10, self.failures - 1)))

    def answered(self) -> None:
        self.failures = 0
        self.until = float("-inf")
