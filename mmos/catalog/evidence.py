"""Defines what the catalog is made from: a model as a host has it, and what was measured of it there."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.hosts.face import Installed


@dataclass(frozen=True)
class OnHost:
    """A model on one host that answers."""

    host: str
    model: Installed
    loaded: bool = False


@dataclass(frozen=True)
class Measured:
    """What was measured of a model on one host. None: not measured."""

    model: str
    host: str
    by: str
    """How and when, such as `models benchmark, 2026-11-30`."""
    source: str = ""
    """The same for all that was measured in one way, on any host."""
    reads: float | None = None
    """Tokens a second."""
    writes: float | None = None
    load_seconds: float | None = None
    calls: float | None = None
    """The share of right tool calls."""
    window: int | None = None
    """The tokens that the host really read, if they were fewer than it was sent."""
