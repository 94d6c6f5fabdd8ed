"""Says what an app knows that helps to count votes. A pattern alone knows nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol


class Insight(Protocol):
    """What is known of models and texts."""

    def resident(self) -> Collection[str]:
        """The models that a host has in memory."""
        ...

    async def likeness(self, texts: Sequence[str]) -> Callable[[str, str], float] | None:
        """How much two of these texts are alike, from -1 to 1. None: there is no model that could say."""
        ...


class NoInsight:
    def resident(self) -> Collection[str]:
        return ()

    async def likeness(self, texts: Sequence[str]) -> Callable[[str, str], float] | None:  # noqa: ARG002
        return None
