"""Says what an app knows that helps to count votes. A pattern alone knows nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol


class Insight(Protocol):
    """What is known of models and texts."""

    async def trust(self, task: str) -> Mapping[str, float]:
        """How often each model was right with tasks of this kind, from 0 to 1. Empty: nothing is known."""
        ...

    def resident(self) -> Collection[str]:
        """The models that a host has in memory."""
        ...

    async def likeness(self, texts: Sequence[str]) -> Callable[[str, str], float] | None:
        """How much two of these texts are alike, from -1 to 1. None: there is no model that could say."""
        ...


class NoInsight:
    async def trust(self, task: str) -> Mapping[str, float]:  # noqa: ARG002
        return {}

    def resident(self) -> Collection[str]:
        return ()

    async def likeness(self, texts: Sequence[str]) -> Callable[[str, str], float] | None:  # noqa: ARG002
        return None
