#!/usr/bin/env python
"""Measures how long it takes to resume a long run and to fork it: until the first request is at the host, and until the fork is durable."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmos.app import App, RunOptions
from mmos.app.lifecycle import Watch
from mmos.events import CallFinished, CallStarted, ConfigKept, Event, FrameKept, LaneOpened, ModelAsked, ModelReplied, RunStarted
from mmos.journal import Journal, new_id
from mmos.messages import Message, ToolCall, Usage
from mmos.scope import Hint
from mmos.testing import Model, stage

WINDOW = 131_072
LIMITS = {"resume": (1_000, 100.0), "fork": (10_000, 50.0)}
"""For each: the events of the run, and the most milliseconds."""


@dataclass(frozen=True)
class Row:
    what: str
    events: int
    milliseconds: float
    most: float

    @property
    def kept(self) -> bool:
        return self.milliseconds <= self.most


def main() -> int:
    given = _arguments()
    rows = [asyncio.run(measure(what, given.events or events, most, given.rounds)) for what, (events, most) in LIMITS.items()]
    if given.json:
        print(json.dumps({"version": 1, "rows": [vars(row) for row in rows]}, indent=2))
    else:
        for row in rows:
            print(f"{row.what:7} a run of {row.events:6,} events: {row.milliseconds:6.1f} ms, at most {row.most:.0f}")
    return int(given.check and not all(row.kept for row in rows))


async def measure(what: str, events: int, most: float, rounds: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        run = await _long_run(Path(folder), events)
        arbiter = Model.scripted("arbiter", ["Done."] * rounds, context_length=WINDOW)
        async with stage({"arbiter": arbiter}, state=Path(folder), orchestration={"arbiter": {"context_window": WINDOW}}) as on:
            found = []
            for _ in range(rounds):
                begin = time.perf_counter()
                fork = await on.app.fork(run)
                middle = time.perf_counter()
                if what == "resume":
                    middle = await _first_request(on.app, fork.run)
                    begin = middle - (middle - begin)
                found.append(1000 * (middle - begin))
        return Row(what, events, round(statistics.median(found), 1), most)


async def _first_request(app: App, run: str) -> float:
    """When the first request of the resumed run goes out."""
    times: list[float] = []

    def hear(hint: Hint) -> None:
        if hint.kind == "turn":
            times.append(time.perf_counter())

    answer = await app.resume(run, options=RunOptions(max_turns=1_000_000), watch=Watch(on_hint=hear))
    answer.raise_for_status()
    return times[0]


async def _long_run(folder: Path, events: int) -> str:
    """A run of so many events, whose process has ended: turn after turn calls a tool, and one in five consults a specialist."""
    run, thread = new_id(), new_id()
    async with await Journal.open(folder) as journal:
        for event in _events(journal.process, events):
            journal.append(run, thread, event)
        await journal.durable()
    return run


def _events(process: str, count: int) -> Sequence[Event]:
    lane = "arbiter"
    made: list[Event] = [
        RunStarted("Count.", process), ConfigKept("{}"), LaneOpened(lane, lane, Message("user", "Count.")), FrameKept("f", "You count."),
    ]  # fmt: skip
    number = 0
    while len(made) < count:
        number += 1
        call = ToolCall(f"call_{number}", "count", {"number": number})
        text = f"Number {number} is next, because it follows the one before it. " * 3
        made += [
            ModelAsked(f"a{number}", lane, lane, "arbiter", 8192, 900, "f"),
            ModelReplied(f"a{number}", lane, lane, "arbiter", "here", Message("assistant", text, (call,)), Usage(900, 40), seconds=1.0),
            CallStarted(call.id, lane, lane, call.name, call.arguments),
            CallFinished(call.id, lane, lane, call.name, True, Message("tool", str(number), tool_name=call.name, call_id=call.id)),
        ]
    return [*made, ModelAsked(f"a{number + 1}", lane, lane, "arbiter", 8192, 900, "f")]


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, help="events of both runs")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (7)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
