"""Says what helps models of a kind, by their names alone: what was measured, and brought something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmos.catalog.naming import billions


@dataclass(frozen=True)
class Profile:
    """What helps one kind of model."""

    applies: Callable[[str], bool]
    calls_at_once: int | None
    """The most tool calls in one reply, where a grammar can hold that."""
    why: str


def _is_tiny(name: str) -> bool:
    size = billions(name)
    return size is not None and size < 1


PROFILES = (
    Profile(
        _is_tiny, 1, "models below a billion parameters make the same call again and again, until the reply is full (scripts/bench_care.py)"
    ),
)
"""The first one that applies counts. The keys of `models` in the configuration win."""


def profile_of(model: str) -> Profile | None:
    """What helps a model. None: nothing that was measured."""
    return next((profile for profile in PROFILES if profile.applies(model)), None)


def calls_at_once(model: str) -> int | None:
    """The most tool calls in one reply of a model. None: it needs no limit of its own."""
    profile = profile_of(model)
    return profile.calls_at_once if profile else None
