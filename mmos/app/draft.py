"""Holds what the choice of who answers has come to so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mmos.choice_events import TaskRouted


@dataclass(frozen=True)
class Draft:
    """What a choice has come to so far."""

    event: TaskRouted
    warnings: tuple[str, ...] = ()

    def with_(self, *warnings: str, **changes: Any) -> Draft:
        return Draft(replace(self.event, **changes), (*self.warnings, *warnings))

    def acting(self, choice: str, **options: Any) -> Draft:
        """MMOS acts on the choice, with these options of the run."""
        return self.with_(choice=self.event.choice or choice, acted=True, options={**self.event.options, **options})
