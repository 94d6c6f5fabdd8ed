"""Tells the fleet which models will probably be asked next, so that they are loaded meanwhile: the key `fleet.warm_up`."""

from __future__ import annotations

import asyncio

from mmos.config.schema import WarmUp
from mmos.fleet.warmth import Warmth, Wish
from mmos.participant.cast import Member

CHAT = "chat"


class Foresight:
    """What a process that lives for a while expects of its roles."""

    def __init__(self, warmth: Warmth, mode: WarmUp) -> None:
        self._warmth = warmth
        self._mode = mode

    def chat_begins(self, member: Member) -> asyncio.Task[None] | None:
        """A user sits down and will ask this member. Returns the task that asks the hosts what they hold. None: there is nothing to load."""
        return None if not self._mode else self._warmth.expect(CHAT, [_wish(member)])

    def chat_ends(self) -> None:
        self._warmth.forget(CHAT)


def _wish(member: Member, chance: float = 1.0) -> Wish:
    role = member.role
    return Wish(role.model, role.servers, role.window, role.options, chance)
