"""Finds a larger model for a role: of those that the configuration names, or of all that the hosts of the role have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmos.app.source import Source
from mmos.names import canonical
from mmos.tools.reconsider import Found

if TYPE_CHECKING:
    from mmos.catalog.known import KnownModel


@dataclass(frozen=True)
class Larger:
    """Finds the larger models of an app."""

    source: Source

    async def __call__(self, role: str, changed: str) -> Found:
        """The largest model for a role that a host can serve. `changed`: the model that the run gives the role."""
        from mmos.selection.larger import larger_than  # most runs never look for one

        config, fleet = self.source.config, self.source.fleet
        own = config.roles()[role]
        named = {canonical(choice.model) for choice in own.choices}
        current = changed.partition("@")[0] or own.model

        def servers(model: KnownModel) -> tuple[str, ...]:
            there = tuple(host for host in model.hosts if not own.servers or host in own.servers)
            return there or (model.hosts if model.keys else ())  # an entry of `models` may run anywhere

        def may(model: KnownModel) -> bool:
            is_named = bool(model.keys) or canonical(model.name) in named
            wanted = is_named or config.orchestration.selection.larger
            return wanted and bool(servers(model)) and not fleet.faults(model.name, servers(model))

        known = await self.source.models()
        found = larger_than(current, known, may)
        if found is None:
            return {"model": "", "servers": [], "why": f"no host can serve a model that is larger than {current}"}
        return {"model": found.name, "servers": list(servers(found)), "why": ""}
