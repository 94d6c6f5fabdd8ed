"""Chooses the channel of a model by the fitness cards of the hosts where it may run, and says why."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmos.config.load import Config
from mmos.fitness.card import Card
from mmos.fleet.fleet import Fleet
from mmos.logs import logger
from mmos.names import same_model

CHANNELS = ("tools", "schema")

_log = logger("mmos.fitness")


class Verdict(NamedTuple):
    """A channel, and the marks that are the reason for it."""

    channel: str
    why: str


def verdict(model: str, hosts: Collection[str], cards: Sequence[Card]) -> Verdict | None:
    """The channel that the cards choose for a model on these hosts. Cards of other hosts and models do not count."""
    valid = [card for card in cards if card.channel and card.host in hosts and same_model(card.model, model)]
    channels = {str(card.channel) for card in sorted(valid, key=lambda card: card.host)}
    why = "models test " + "; ".join(f"on {card.host}, {card.day}: {card.comparison}" for card in valid)
    if len(channels) < 2:
        return Verdict(channels.pop(), why) if channels else None
    # The fleet places a call after its prompt is made, so all hosts need the same channel: the one whose lowest score is the highest.
    best = max(CHANNELS, key=lambda channel: _worst(valid, channel))
    return Verdict(best, f"{why}; these differ, and {best} is better where each does worst")


def _worst(cards: Sequence[Card], channel: str) -> float:
    """The lowest score of a channel. A host that refuses the channel counts as 0. A host without a test does not count."""
    return min((card.channels[channel].score for card in cards if channel in card.channels), default=0.0)


def of_roles(config: Config, cards: Sequence[Card]) -> dict[str, Verdict]:
    """The channels of the roles for which the configuration names none."""
    free = {name: role for name, role in config.roles().items() if role.channel is None}
    verdicts = {name: verdict(role.model, role.servers or tuple(config.servers()), cards) for name, role in free.items()}
    return {name: one for name, one in verdicts.items() if one is not None}


@dataclass(frozen=True)
class Trials:
    """The cards of a state folder, checked against the models that the hosts have now."""

    fleet: Fleet
    cards: Sequence[Card]

    async def channel(self, model: str, servers: Collection[str]) -> str | None:
        """The channel for this model on these servers. None: there is no card of exactly this model."""
        hosts = servers or [seat.name for seat in self.fleet.seats]
        here = [card for card in self.cards if card.host in hosts and same_model(card.model, model)]
        models = await asyncio.gather(*(self.fleet.describe(model, (card.host,)) for card in here))
        current = [card for card, found in zip(here, models, strict=True) if card.is_of(found.digest if found else "")]
        found = verdict(model, hosts, current)
        if found is None:
            return None
        _log.info("channel_chosen", model=model, channel=found.channel, why=found.why)
        return found.channel
