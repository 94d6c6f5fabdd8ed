"""Defines the figures of a benchmark of one model on one host, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any, Self

from mmos.checking import is_model_name
from mmos.event import LAST_DAY

NOISE = 0.08
"""A smaller difference says nothing: two benchmarks of the same model on the same host differ as much."""
SINGLE = 0.25
"""The same for a figure that was measured once."""


@dataclass(frozen=True)
class AtContext:
    """The median of a few calls with prompts of one length."""

    context: int
    """The tokens that were asked for."""
    tokens: int
    """The tokens that the host counted."""
    first_token: float
    """Seconds until the first piece of the answer."""
    reads: float | None = None
    """Tokens a second."""
    writes: float | None = None
    spread: float = SINGLE
    """How far the calls were apart, as a part of the median."""


@dataclass(frozen=True)
class AtOnce:
    """Several calls at the same time."""

    calls: int
    writes: float
    """Tokens a second of all calls together."""
    spread: float = SINGLE


@dataclass(frozen=True)
class Figures:
    """What was measured. What is missing was not measured."""

    model: str
    host: str
    taken: float
    """Seconds since 1970."""
    digest: str = ""
    window: int = 0
    load_seconds: float | None = None
    contexts: tuple[AtContext, ...] = ()
    parallel: tuple[AtOnce, ...] = ()
    calls: float | None = None
    """The share of right tool calls."""
    channel: str = ""
    """How tools were offered."""
    notes: tuple[str, ...] = ()
    """What makes the figures doubtful, and what was left out."""
    whole: bool = False
    """Whether the benchmark came to its end."""

    @property
    def reads(self) -> float | None:
        return _median([one.reads for one in self.contexts])

    @property
    def writes(self) -> float | None:
        return _median([one.writes for one in self.contexts])

    @property
    def empty(self) -> bool:
        return not (self.load_seconds or self.contexts or self.parallel or self.calls is not None)

    @property
    def day(self) -> str:
        """The date, in the time zone of this machine."""
        return datetime.fromtimestamp(self.taken).astimezone().strftime("%Y-%m-%d")

    def is_of(self, digest: str) -> bool:
        """Whether it is of the model with this digest. When the host reports no digest, the name decides."""
        return not (self.digest and digest) or self.digest == digest

    def values(self) -> Mapping[str, tuple[float, float]]:
        """Each figure with its spread, by a name that is the same in every benchmark."""
        found: dict[str, tuple[float, float]] = {} if self.load_seconds is None else {"load_seconds": (self.load_seconds, SINGLE)}
        for one in self.contexts:
            found[f"first_token@{one.context}"] = one.first_token, one.spread
            found |= {f"{name}@{one.context}": (rate, one.spread) for name, rate in (("reads", one.reads), ("writes", one.writes)) if rate}
        found |= {f"writes*{one.calls}": (one.writes, one.spread) for one in self.parallel}
        return found if self.calls is None else {**found, "calls": (self.calls, 0.0)}

    def changes(self, older: Figures | None) -> dict[str, float]:
        """How far each figure is from the older one, as a part of that. 0: not farther than chance explains."""
        before = {} if older is None or not self.is_of(older.digest) else older.values()
        changes = {}
        for name, (value, spread) in self.values().items():
            old, old_spread = before.get(name, (0.0, 0.0))
            if old > 0:
                change = value / old - 1
                changes[name] = round(change, 3) if abs(change) > max(NOISE, spread, old_spread) else 0.0
        return changes

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read figures. Keys that a later version added are ignored. Raises `ValueError` when they make no sense."""
        from pydantic import TypeAdapter

        figures: Self = TypeAdapter(cls).validate_python(document)
        if not (is_model_name(figures.model) and is_model_name(figures.host) and 0 <= figures.taken < LAST_DAY):
            raise ValueError("no benchmark has such figures")
        if not all(0 <= value < 1e12 for pair in figures.values().values() for value in pair):
            raise ValueError("no benchmark measures such values")
        return figures


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value]
    return round(median(known), 2) if known else None
