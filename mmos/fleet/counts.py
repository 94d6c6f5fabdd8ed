"""Chooses windows for prompts, and learns how many tokens each model counts in them."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.names import canonical
from mmos.placement.profiles import SMALLEST
from mmos.prompting.budget import MARGIN

MISCOUNT = 1.5
"""The window is chosen for this many times the estimated tokens, until the model has counted a prompt of at least so many."""
COUNTED = 200
ANSWER = 1024
"""Tokens of the window that are planned for the answer."""


class Counts:
    """For each model, how many times the estimated tokens it counts."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}

    def window(self, models: Sequence[str], weight: float) -> int:
        """The window for a prompt of so many estimated tokens, whichever of the models reads it."""
        return window_for(weight * max(self._factors.get(canonical(name), MISCOUNT) for name in models))

    def learn(self, model: str, weight: float, tokens: int) -> None:
        """Only prompts that are long enough show it."""
        if weight >= COUNTED and tokens:
            name, factor = canonical(model), min(4.0, MARGIN * tokens / weight)
            self._factors[name] = max(factor, self._factors.get(name, 0.0))


def window_for(tokens: float) -> int:
    """The smallest power of two that holds a prompt and its answer."""
    window = SMALLEST
    while window < tokens + ANSWER:
        window *= 2
    return window
