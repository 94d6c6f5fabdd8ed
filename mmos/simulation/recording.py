"""Turns the journal of runs into a trace: each call to a model, what it waited for, and its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mmos.config.document import read_text
from mmos.errors import ConfigError
from mmos.events import ConfigKept, Entry, LaneOpened, ModelAsked, ModelReplied
from mmos.simulation.trace import Call

DEEPEST = 100
"""Most lanes inside each other that it follows. A run opens far fewer."""


def record(runs: Iterable[Sequence[Entry]]) -> list[Call]:
    """The calls of these runs in the order of their start. Calls without an answer are left out."""
    in_order = sorted((entries for entries in runs if entries), key=lambda entries: entries[0].time)
    if not in_order:
        return []
    recorder = _Recorder(in_order[0][0].time)
    calls = [call for entries in in_order for call in recorder.run(entries)]
    return sorted(calls, key=lambda call: call.at)


@dataclass
class _Lane:
    """A lane: its last answered call, and the lanes that it opened after that call."""

    parent: str = ""
    last: str = ""
    children: list[str] = field(default_factory=list)


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
        requests: dict[str, tuple[float, ModelAsked, tuple[str, ...]]] = {}
        for entry in entries:
            match entry.event:
                case LaneOpened(lane=lane, parent=parent):
                    lanes[lane] = _Lane(parent)
                    lanes.setdefault(parent, _Lane()).children.append(lane)
                case ModelAsked(ask=ask, lane=lane) as event:
                    causes = self._causes(lanes, lane, entry.thread)
                    lanes.setdefault(lane, _Lane()).children.clear()
                    requests[ask] = entry.time, event, causes
                case ModelReplied(ask=ask, lane=lane) as reply if ask in requests and not reply.cached:
                    call = self._call(entry, reply, requests[ask], scale)
                    self._ends[call.id] = entry.time
                    lanes.setdefault(lane, _Lane()).last = self._threads[entry.thread] = call.id
                    yield call

    def _causes(self, lanes: dict[str, _Lane], lane: str, thread: str) -> tuple[str, ...]:
        """The calls that this one waited for: the last ones in the lanes that its own lane opened. If there are none, the last one in its own lane, or in a lane above it."""
        causes, seen = _leaves(lanes, lane, set()), {"", lane}
        while not causes and lane in lanes and lanes[lane].parent not in seen:
            lane = lanes[lane].parent
            seen.add(lane)
            causes = [lanes[lane].last] if lane in lanes and lanes[lane].last else []
        if not causes and thread in self._threads:
            causes = [self._threads[thread]]
        return tuple(dict.fromkeys(causes))

    def _call(self, entry: Entry, reply: ModelReplied, request: tuple[float, ModelAsked, tuple[str, ...]], scale: float) -> Call:
        """The call. Its duration is in the hosts' seconds. Pauses between calls are in real seconds, also when the hosts' time runs faster."""
        start, event, causes = request
        ready = max((self._ends[name] for name in causes), default=start)
        return Call(
            id=f"{entry.run}/{event.ask}",
            model=event.model,
            prompt_tokens=reply.usage.prompt_tokens,
            output_tokens=reply.usage.output_tokens,
            at=(start - self._began) * scale,
            run=entry.run,
            session=f"{entry.thread}/{event.role}",
            role=event.role,
            after=causes,
            think=max(0.0, start - ready),
            window=event.window,
            host=reply.host,
            seconds=round((entry.time - start) * scale, 3),
        )


def _leaves(lanes: dict[str, _Lane], lane: str, seen: set[str], depth: int = 0) -> list[str]:
    """The last calls of a lane: those of the lanes that it opened after its own last call. If there are none, that call.

    It visits each lane once, because the journal of a stranger may contain a circle.
    """
    seen.add(lane)
    here = lanes.get(lane, _Lane())
    children = here.children if depth < DEEPEST else []
    inside = [name for inner in children if inner not in seen for name in _leaves(lanes, inner, seen, depth + 1)]
    return inside or ([here.last] if here.last else [])


def _time_scale(entries: Sequence[Entry]) -> float:
    """How many times as fast as real time the run's hosts ran. A trace is in their seconds."""
    text = next((entry.event.text for entry in entries if isinstance(entry.event, ConfigKept)), "")
    try:
        servers = read_text(text, "").at(("orchestration", "servers"))
    except ConfigError:
        return 1.0
    rows = servers.values() if isinstance(servers, dict) else ()
    scales = {row.get("time_scale", 1.0) for row in rows if isinstance(row, dict)}
    only = scales.pop() if len(scales) == 1 else 1.0
    return float(only) if isinstance(only, int | float) and only > 0 else 1.0
