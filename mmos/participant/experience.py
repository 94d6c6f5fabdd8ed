"""Keeps what an app knows about its models: what its runs have shown, and what hosts and trials say."""

from __future__ import annotations

import random
import string
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from mmos.events import Entry, ModelLearned
from mmos.names import canonical
from mmos.prompting.compose import Scale
from mmos.prompting.gauge import Gauge
from mmos.scope import Scope

Place = tuple[str, tuple[str, ...]]
"""A model and the servers where it may run. A run can give a role other servers."""


class Unserved(NamedTuple):
    """No host could serve a model."""

    why: str
    until: float
    """When to try it again, on the clock of the runs."""


async def _no_trials(model: str, servers: tuple[str, ...]) -> str | None:  # noqa: ARG001  # the signature of `Experience.best_channel`
    return None


@dataclass
class Experience:
    """What runs have shown is built from events alone, so it survives a restart."""

    gauge: Gauge = field(default_factory=Gauge)
    windows: dict[tuple[str, int], int] = field(default_factory=dict)
    """The real windows, by model and by `context_window`, where they are smaller than that."""
    substitutes: dict[Place, tuple[str, str]] = field(default_factory=dict)
    """For a model that lacks a channel: its digest, and the channel that works."""
    refusals: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of a model and the digest of a format that its host refused."""
    scale: Scale = field(default_factory=Scale)
    channels: dict[Place, str] = field(default_factory=dict)
    """The channels in use."""
    best_channel: Callable[[str, tuple[str, ...]], Awaitable[str | None]] = _no_trials
    """The best channel for a model according to the trials on these servers. None: no trial says."""
    unserved: dict[Place, Unserved] = field(default_factory=dict)
    """Models that no host could serve, of roles that have another model."""
    vision: dict[str, bool] = field(default_factory=dict)
    """Which models see images, as their hosts say."""
    chance: random.Random = field(default_factory=random.Random)

    def apply(self, event: ModelLearned) -> None:
        name = canonical(event.model)
        self.gauge.take(name, event.rates, event.factor)
        if 0 < event.window < event.asked_window:
            self.windows[name, event.asked_window] = event.window
        if event.channel:
            self.substitutes[event.model, event.servers] = event.digest, event.channel
            self.channels.pop((event.model, event.servers), None)
        if event.refused:
            self.refusals.add((name, event.refused))

    def recall(self, entries: Iterable[Entry]) -> None:
        """Take over what earlier runs learned."""
        for entry in entries:
            if isinstance(entry.event, ModelLearned):
                self.apply(entry.event)

    def learn(self, scope: Scope, event: ModelLearned) -> None:
        scope.record(event)
        self.apply(event)

    def window(self, model: str, window: int) -> int:
        """The real window of a model whose role has this window."""
        return self.windows.get((canonical(model), window), window)

    def call_id(self) -> str:
        return "call_" + "".join(self.chance.choices(string.ascii_lowercase + string.digits, k=8))
