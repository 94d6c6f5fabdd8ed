"""Gathers what is known of the models of a fleet: from the configuration, the hosts, fitness cards, benchmarks, and speeds that calls have shown."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mmos.catalog.catalog import catalog
from mmos.catalog.evidence import Measured, OnHost
from mmos.catalog.known import KnownModel
from mmos.config.load import Config
from mmos.fitness.card import Card
from mmos.fitness.figures import Figures
from mmos.fleet.fleet import Fleet
from mmos.fleet.speeds import Speed
from mmos.fleet.survey import HostState
from mmos.names import canonical

DESCRIBING_SECONDS = 1.5
"""How long hosts have to describe models whose lists do not say what they can do."""


async def known_models(fleet: Fleet, config: Config, evidence: Evidence) -> tuple[KnownModel, ...]:
    """The catalog of a fleet that knows which models its hosts have."""
    await asyncio.gather(fleet.look(), _describe(fleet))
    there = [
        OnHost(seat.name, model, canonical(model.name) in seat.residents.stays)
        for seat in fleet.seats
        for model in (seat.installed or {}).values()
    ]
    return made(config, there, evidence)


def of_states(config: Config, states: Iterable[HostState], evidence: Evidence) -> tuple[KnownModel, ...]:
    """The catalog of hosts that were asked for their states."""
    there = [
        OnHost(state.name, model, state.holds(model.name) is not None) for state in states if state.reachable for model in state.installed
    ]
    return made(config, there, evidence)


@dataclass(frozen=True)
class Evidence:
    """What was measured of models on hosts."""

    benchmarks: Sequence[Figures] = ()
    speeds: Sequence[Speed] = ()
    cards: Sequence[Card] = ()

    def measured(self, there: Collection[OnHost]) -> Iterator[Measured]:
        """The best evidence first. What was measured of another model under the same name does not count."""
        digests = {(one.host, canonical(one.model.name)): one.model.digest for one in there}
        for figures in self.benchmarks:
            if figures.is_of(digests.get((figures.host, canonical(figures.model)), "")):
                yield of_figures(figures)
        for speed in self.speeds:
            yield Measured(speed.model, speed.host, "its calls", "calls", speed.reads, speed.writes, speed.load_seconds)
        for card in self.cards:
            if card.is_of(digests.get((card.host, canonical(card.model)), "")):
                yield of_card(card)


def of_figures(figures: Figures) -> Measured:
    return Measured(
        figures.model, figures.host, f"models benchmark, {figures.day}", "benchmark",
        figures.reads, figures.writes, figures.load_seconds, figures.calls,
    )  # fmt: skip


def of_card(card: Card) -> Measured:
    cut = card.window_held is not None and card.window_held < card.window_asked
    return Measured(
        card.model, card.host, f"models test, {card.day}", "test", card.reads, card.writes, card.load_seconds,
        card.score if card.channel else None, card.window_held if cut else None,
    )  # fmt: skip


def made(config: Config, there: Sequence[OnHost], evidence: Evidence) -> tuple[KnownModel, ...]:
    rules = [config.named(rule.model) for rule in config.orchestration.routing.rules if rule.model]
    named = [*(role.model for role in config.asked()), *rules]
    return catalog(config.orchestration.models, named, there, evidence.measured(there))


async def _describe(fleet: Fleet) -> None:
    """Have older hosts describe models whose abilities their lists leave out. The fleet keeps what they say."""
    unclear = [
        (model.name, seat.name)
        for seat in fleet.seats
        if seat.host.abilities.tells_loaded
        for model in (seat.installed or {}).values()
        if model.capabilities is None
    ]
    if unclear:
        asking = [asyncio.ensure_future(fleet.describe(model, (host,))) for model, host in unclear]
        _, late = await asyncio.wait(asking, timeout=DESCRIBING_SECONDS)
        for task in late:
            task.cancel()
