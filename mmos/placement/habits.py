"""Estimates from what earlier runs asked which model will be asked next: after which other one, and at which hour of the week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.placement.estimates import number
from mmos.placement.rates import Sequence

NEWS = 0.4
"""How much one week counts in the chance of an hour: a model that was asked in it three weeks in a row will be so again with 78 %."""
LEAST = 0.05
"""A smaller chance is forgotten."""
HOURS = 168
MOST_MODELS = 200


@dataclass(frozen=True)
class Hour:
    """An hour of the week, from 0 (Monday, midnight) to 167, in one week of all."""

    hour: int
    week: int

    @classmethod
    def of(cls, local: float) -> Hour:
        """`local`: seconds since 1970, as the clock on the wall shows them."""
        hours = int(local // 3600) + 72  # 1970 began on a Thursday
        return cls(hours % HOURS, hours // HOURS)

    @property
    def following(self) -> Hour:
        return Hour((self.hour + 1) % HOURS, self.week + (self.hour + 1) // HOURS)


@dataclass
class Habits:
    """Of each model: in which hours of the week it was asked. Which model follows which is in the ledger's sequence."""

    sequence: Sequence
    _hours: dict[str, dict[int, tuple[float, int]]] = field(default_factory=dict)
    """The chance of each hour, and the last week that had it."""

    def asked(self, model: str, moment: Hour) -> None:
        """A model was asked in this hour. Only the first time in a week counts."""
        chance, week = self._hours.setdefault(model, {}).get(moment.hour, (0.0, moment.week - 1))
        if week < moment.week:
            faded = _faded(chance, moment.week - week - 1)
            self._hours[model][moment.hour] = faded + NEWS * (1.0 - faded), moment.week

    def at(self, moment: Hour) -> dict[str, float]:
        """The chance of each model to be asked in this hour or in the one after it."""
        found = {model: max(_chance(hours, moment), _chance(hours, moment.following)) for model, hours in self._hours.items()}
        return {model: chance for model, chance in found.items() if chance >= LEAST}

    def after(self, model: str) -> dict[str, float]:
        """The chance of each model to be asked after this one, in the same job."""
        return {follower: min(1.0, count) for follower, count in self.sequence.after(model).items()}

    # ------------------------------------------------------------ what is kept of it

    def of_model(self, model: str) -> dict[str, Any]:
        """As plain values."""
        kept: dict[str, Any] = {}
        if hours := self._hours.get(model):
            kept["hours"] = {str(hour): [round(chance, 3), week] for hour, (chance, week) in sorted(hours.items()) if chance >= LEAST}
        if known := self.sequence.known(model):
            kept["calls"], kept["after"] = round(known[0], 2), {name: round(count, 2) for name, count in known[1].items()}
        return kept

    def recall(self, model: str, kept: Mapping[str, object]) -> None:
        """Put back what an earlier run kept. Values that make no sense do not count."""
        hours, after, calls = kept.get("hours"), kept.get("after"), number(kept.get("calls"))
        for name, value in hours.items() if isinstance(hours, dict) else ():
            chance, week = value if isinstance(value, list) and len(value) == 2 else (None, None)
            share = number(chance)
            if share is not None and share <= 1.0 and isinstance(week, int) and name.isdecimal() and int(name) < HOURS:
                self._hours.setdefault(model, {}).setdefault(int(name), (share, week))
        if calls is not None and isinstance(after, dict):
            self.sequence.recall(model, calls, {name: count for name, value in after.items() if (count := number(value)) is not None})


def _faded(chance: float, weeks: int) -> float:
    return chance * (1.0 - NEWS) ** max(0, weeks)


def _chance(hours: Mapping[int, tuple[float, int]], moment: Hour) -> float:
    chance, week = hours.get(moment.hour, (0.0, moment.week))
    return _faded(chance, moment.week - week - 1)
