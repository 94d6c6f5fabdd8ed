"""Prints a sign of life of a long run: one line on stderr when nothing was printed for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mmos import events
from mmos.cli.output import how_long
from mmos.scope import Hint

EVERY = 30.0
"""After this many seconds without output, a run says that it is still at work."""


@dataclass
class Exchange:
    """A participant and its turns. A hint announces the start of a turn, an event follows with its end."""

    role: str
    begun: int = 0
    asked: int = 0
    """Turns that an event has reported."""
    ended: int = 0
    host: str = ""
    loads: bool = False


@dataclass
class Heartbeat:
    """Tracks what is at work, and when something was printed last."""

    every: float = EVERY
    clock: Callable[[], float] = time.monotonic
    _exchanges: dict[str, Exchange] = field(default_factory=dict)
    """Participants by lane, in the order in which their turns began."""
    _tools: dict[str, str] = field(default_factory=dict)
    """Open calls, without consultations, which have lanes of their own."""
    _tokens: int = 0
    _pieces: dict[str, int] = field(default_factory=dict)
    _begun: float = field(init=False)
    _shown: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self._shown = self.clock()

    def shown(self) -> None:
        """Restart the wait: something else was printed."""
        self._shown = self.clock()

    async def beat(self, say: Callable[[str], None]) -> None:
        """Print signs of life until cancelled."""
        while True:
            await asyncio.sleep(max(0.0, self._shown + self.every - self.clock()))
            if self.clock() - self._shown >= self.every:
                self.shown()
                say(self.line())

    def line(self) -> str:
        tokens = self._tokens + sum(self._pieces.values())
        parts = [self._at_work(), f"{tokens:,} tokens" if tokens else ""]
        return f"mmos: still at work after {_since(self.clock() - self._begun)}: {', '.join(filter(None, parts))}"

    def _at_work(self) -> str:
        for one in reversed(self._exchanges.values()):
            if one.begun > one.ended:
                place = f"{one.role} on {one.host}" if one.host else f"{one.role}, waiting for a host"
                return ", ".join(filter(None, (place, "loading its model" if one.loads else "", f"turn {one.begun}")))
        return f"the tool {', '.join(dict.fromkeys(self._tools.values()))}" if self._tools else "between two turns"

    def hear(self, hint: Hint) -> None:
        if hint.kind == "turn":
            one = self._exchanges.pop(hint.lane, None) or Exchange(hint.role)
            one.begun, one.host, one.loads = one.begun + 1, "", False
            self._exchanges[hint.lane] = one
        elif (known := self._exchanges.get(hint.lane)) is not None:
            if hint.kind in ("loading", "reading"):
                known.host, known.loads = hint.text, hint.kind == "loading"
            elif hint.kind == "token":
                known.loads = False
                self._pieces[hint.lane] = self._pieces.get(hint.lane, 0) + 1

    def tell(self, event: events.Event) -> None:
        match event:
            case events.ModelAsked(lane=lane) if lane in self._exchanges:
                self._exchanges[lane].asked += 1
            case events.ModelReplied(lane=lane, usage=usage) if lane in self._exchanges:
                self._exchanges[lane].ended = self._exchanges[lane].asked
                self._pieces.pop(lane, None)
                self._tokens += usage.output_tokens
            case events.LaneClosed(lane=lane):
                self._exchanges.pop(lane, None)
            case events.CallStarted(call=call, tool=tool):
                self._tools[call] = tool
            case events.LaneOpened(call=call) | events.CallFinished(call=call):
                self._tools.pop(call, None)


def _since(seconds: float) -> str:
    return how_long(round(seconds)).replace(".0 s", " s")
