"""Turns the journal of runs into a trace: each call to a model, what it waited for, and its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mmos.config.document import read_text
from mmos.errors import ConfigError
from mmos.events import Entry, LaneOpened, ModelAsked, ModelReplied, RunStarted
from mmos.simulation.trace import Call

DEEPEST = 100
"""Most exchanges inside each other that it follows. A run opens far fewer."""


def record(runs: Iterable[Sequence[Entry]]) -> list[Call]:
    """The calls of these runs in the order of their start. Calls without an answer are left out."""
    listed = sorted((entries for entries in runs if entries), key=lambda entries: entries[0].time)
    if not listed:
        return []
    recorder = _Recorder(listed[0][0].time)
    calls = [call for entries in listed for call in recorder.run(entries)]
    return sorted(calls, key=lambda call: call.at)


@dataclass
class _Lane:
    """A participant's exchange: its last answered call, and the exchanges that it opened after that call."""

    parent: str = ""
    last: str = ""
    opened: list[str] = field(default_factory=list)


class _Recorder:
    """Remembers over all runs when calls ended, and which call each conversation continues."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._ends: dict[str, float] = {}
        """In real time."""
        self._threads: dict[str, str] = {}

    def run(self, entries: Sequence[Entry]) -> Iterator[Call]:
        scale = _time_scale(entries)
        lanes: dict[str, _Lane] = {}
        asked: dict[str, tuple[float, ModelAsked, tuple[str, ...]]] = {}
        for entry in entries:
            match entry.event:
                case LaneOpened(lane=lane, parent=parent):
                    lanes[lane] = _Lane(parent)
                    lanes.setdefault(parent, _Lane()).opened.append(lane)
                case ModelAsked(ask=ask, lane=lane) as event:
                    causes = self._causes(lanes, lane, entry.thread)
                    lanes.setdefault(lane, _Lane()).opened.clear()
                    asked[ask] = entry.time, event, causes
                case ModelReplied(ask=ask, lane=lane) as reply if ask in asked:
                    call = self._call(entry, reply, asked[ask], scale)
                    self._ends[call.id] = entry.time
                    lanes.setdefault(lane, _Lane()).last = self._threads[entry.thread] = call.id
                    yield call

    def _causes(self, lanes: dict[str, _Lane], lane: str, thread: str) -> tuple[str, ...]:
        """The calls that this one waited for: the last ones in the exchanges that its own opened. If there are none, the last one in its own, or in one above it."""
        done, seen = _leaves(lanes, lane, set()), {"", lane}
        while not done and lane in lanes and lanes[lane].parent not in seen:
            lane = lanes[lane].parent
            seen.add(lane)
            done = [lanes[lane].last] if lane in lanes and lanes[lane].last else []
        if not done and thread in self._threads:
            done = [self._threads[thread]]
        return tuple(dict.fromkeys(done))

    def _call(self, entry: Entry, reply: ModelReplied, asked: tuple[float, ModelAsked, tuple[str, ...]], scale: float) -> Call:
        """The call. Its duration is in the hosts' seconds. Pauses between calls are in real seconds, also when the hosts' time runs faster."""
        asked_at, event, causes = asked
        ready = max((self._ends[name] for name in causes), default=asked_at)
        return Call(
            id=f"{entry.run}/{event.ask}",
            model=event.model,
            prompt_tokens=reply.usage.prompt_tokens,
            output_tokens=reply.usage.output_tokens,
            at=(asked_at - self._began) * scale,
            run=entry.run,
            session=f"{entry.thread}/{event.role}",
            role=event.role,
            after=causes,
            think=max(0.0, asked_at - ready),
            window=event.window,
            host=reply.host,
            seconds=round((entry.time - asked_at) * scale, 3),
        )


def _leaves(lanes: dict[str, _Lane], lane: str, seen: set[str], depth: int = 0) -> list[str]:
    """The last calls of an exchange: those of the exchanges that it opened after its own last call. If there are none, that call.

    It visits each exchange once, because the journal of a stranger may contain a circle.
    """
    seen.add(lane)
    here = lanes.get(lane, _Lane())
    opened = here.opened if depth < DEEPEST else []
    inside = [name for inner in opened if inner not in seen for name in _leaves(lanes, inner, seen, depth + 1)]
    return inside or ([here.last] if here.last else [])


def _time_scale(entries: Sequence[Entry]) -> float:
    """How many times as fast as real time the run's hosts ran. A trace is in their seconds."""
    text = next((entry.event.config for entry in entries if isinstance(entry.event, RunStarted)), "")
    try:
        servers = read_text(text, "").at(("orchestration", "servers"))
    except ConfigError:
        return 1.0
    rows = servers.values() if isinstance(servers, dict) else ()
    scales = {row.get("time_scale", 1.0) for row in rows if isinstance(row, dict)}
    only = scales.pop() if len(scales) == 1 else 1.0
    return float(only) if isinstance(only, int | float) and only > 0 else 1.0
