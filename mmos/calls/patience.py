"""Limits the work that reading one text may cost."""

from __future__ import annotations

STEPS = 20_000
"""The work for every text. One step takes Python a few microseconds."""
LENGTH_A_STEP = 16
"""A long text has one step more for so many characters."""
SCANNED_A_STEP = 200
"""Characters that a pattern can scan in one step."""


class Misread(ValueError):
    """The text cannot be read as a value."""


class Patience:
    """The limit of work for one text. All attempts to read something in the text share it.

    It counts steps, not time, so that a reply has the same result on every machine.
    """

    def __init__(self, length: int = 0) -> None:
        self.limit = STEPS + length // LENGTH_A_STEP
        self.spent = 0.0

    @property
    def gone(self) -> bool:
        return self.spent > self.limit

    def lasts(self, steps: float = 1) -> bool:
        """Whether there is work left after these steps."""
        self.spent += steps
        return self.spent <= self.limit

    def spend(self, steps: float = 1) -> None:
        if not self.lasts(steps):
            raise Misread("too much to read")

    def scan(self, characters: int) -> None:
        """Spend the steps of a pattern that scanned so many characters."""
        self.spend(1 + characters // SCANNED_A_STEP)
