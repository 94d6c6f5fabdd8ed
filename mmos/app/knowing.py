"""The part of an app that knows its models. What that needs is imported when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmos.app.unserved import RollCall
    from mmos.catalog.known import KnownModel
    from mmos.config.load import Config
    from mmos.fitness.card import Card
    from mmos.fitness.figures import Figures
    from mmos.fleet.fleet import Fleet
    from mmos.journal import Journal


class Knowing:
    """Knows models."""

    config: Config
    fleet: Fleet
    journal: Journal
    roll: RollCall
    trials: Sequence[Card]
    rehearsed: bool

    async def models(self) -> tuple[KnownModel, ...]:
        """Every model that a host has or the configuration names, with what it is good at and why. No model is asked or loaded.

        Models of hosts that do not answer are listed without `hosts`. Of a fleet that has fresh lists, no host is asked.

        Example::

            for model in await app.models():
                print(model.name, model.hosts, sorted(model.capabilities), model.why)
        """
        from mmos.app.catalog import Evidence, known_models

        await self.roll.lists()
        return await known_models(self.fleet, self.config, Evidence(self.benchmarks, self.fleet.speeds.known(), self.trials))

    @cached_property
    def benchmarks(self) -> Sequence[Figures]:
        """The newest benchmark of each model and host in the state folder."""
        from mmos.fitness.history import History

        folder = None if self.rehearsed else self.journal.folder
        return [] if folder is None else History.of_state(folder).newest()
