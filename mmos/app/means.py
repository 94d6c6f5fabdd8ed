"""Finds out whether MMOS can do what a rule says: whom the arbiter can consult, and who serves a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmos.app.source import Source
from mmos.app.system_texts import ARBITER
from mmos.names import same_model
from mmos.participant.cast import Cast


class Served(NamedTuple):
    """A model that a host can serve."""

    model: str
    servers: tuple[str, ...]
    """Where. Those of the arbiter, if one of them has it."""


@dataclass(frozen=True)
class Means:
    """What can be done in a run with this cast."""

    source: Source
    cast: Cast

    async def specialist(self, names: Sequence[str]) -> tuple[str, str]:
        """The first of these specialists that the arbiter can consult. If there is none, the reason."""
        await self.source.fleet.census()
        able = [name for name in names if name in self.cast[ARBITER].consults and not self._fault(name)]
        if able:
            return able[0], ""
        return "", self._fault(names[0]) or f"the arbiter has no tool that consults {names[0]}"

    def _fault(self, name: str) -> str:
        """Why no host can serve a role. Empty: one can, as far as is known."""
        if name not in self.cast:
            return f"there is no role {name}"
        faults = [self.source.fleet.faults(choice.role.model, choice.role.servers) for choice in self.cast[name].choices]
        return "" if any(not fault for fault in faults) else str(next(iter(faults[0].values())))

    async def model(self, name: str) -> Served | None:
        """A model that a rule names, and who can serve it. None: nobody can."""
        from mmos.selection.checker import model_named  # only such a rule needs it

        role = self.cast[ARBITER].role
        model = model_named(await self.source.models(), name)
        there = [host for host in model.hosts if not self.source.fleet.faults(model.name, (host,))] if model else []
        if model is None or not there:
            return None
        is_usual = any(not role.servers or host in role.servers for host in there)
        spelled = name if same_model(name, model.name) else model.name  # a key is no name that a host knows
        return Served(spelled, role.servers if is_usual else (there[0],))
