"""Asks a host about single models. Older hosts do not list what a model can do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from mmos.errors import HostError
from mmos.hosts.face import Card, Host, Installed

AT_ONCE = 8
"""Questions to one host at the same time."""


async def described(host: Host, model: Installed) -> Installed:
    """The model with its capabilities and its longest window."""
    return with_card(model, await host.show(model.name))


def with_card(model: Installed, card: Card) -> Installed:
    return replace(model, capabilities=card.capabilities, context_length=card.context_length or model.context_length)


async def all_described(host: Host, models: Sequence[Installed], seconds: float) -> list[Installed]:
    """All models. Without a response in time, the capabilities stay unknown."""
    end, gate = asyncio.get_running_loop().time() + seconds, asyncio.Semaphore(AT_ONCE)

    async def whole(model: Installed) -> Installed:
        if model.capabilities is not None:
            return model
        try:
            async with asyncio.timeout_at(end), gate:
                return await described(host, model)
        except (HostError, TimeoutError):
            return model

    return list(await asyncio.gather(*map(whole, models)))
