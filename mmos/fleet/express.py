"""Sends a call at once when calls like it have only one way, so that a quiet host costs no decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mmos.fleet.asking import Ask
from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Send
from mmos.placement.ways import Way

Key: TypeAlias = tuple[str, int, tuple[str, ...], bool, bool]
"""What calls have in common that go the same way."""
MOST = 256
"""Ways that are remembered. Texts of many lengths to embed ask for many windows."""


@dataclass
class Express:
    """The ways of earlier calls. Each holds until something changes on the hosts."""

    engine: Engine
    number: Callable[[], str]
    _ways: dict[Key, tuple[Way, Call]] = field(default_factory=dict)

    def send(self, ask: Ask, tokens: float, now: float) -> Send | None:
        """Send a call the way that the last one like it went. None: that way is closed, or other calls are before it."""
        known = None if ask.others or ask.limits else self._ways.get(_key(ask))
        if known is None or not self.engine.is_clear(known[0], now):
            return None
        like = known[1]
        call = ask.wish(self.number(), tokens, like.models, like.hosts, like.window)
        return self.engine.express(call, known[0], now)

    def learn(self, ask: Ask, call: Call) -> None:
        """A call was served. The next one like it may go the same way, if there is no other."""
        if not (ask.others or ask.limits) and len(call.hosts) == 1 and (way := self.engine.way(call)) is not None:
            if len(self._ways) >= MOST:
                self._ways.clear()
            self._ways[_key(ask)] = way, call


def _key(ask: Ask) -> Key:
    request = ask.request
    return request.model, request.num_ctx, ask.servers, ask.grows, ask.urgent
