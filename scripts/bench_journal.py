#!/usr/bin/env python
"""Measures the cost of an event in the journal, compared with a commit on the event loop and with no journal. Measures its size with --sizes."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench import sizes

from mmos.events import CallFinished, CallStarted, Entry, Event, LaneOpened, ModelAsked, ModelReplied
from mmos.journal import Journal, Tuning
from mmos.journal.connect import DEFAULTS, FILE, for_writing
from mmos.journal.ids import new_id
from mmos.journal.rows import Line
from mmos.journal.shapes import encode
from mmos.journal.store import Store
from mmos.messages import Message, ToolCall, Usage

DURABLE_EVERY = 5
"""Events between two waits: a run waits before each request to a model."""


class Log(Protocol):
    def append(self, run: str, thread: str, event: Event) -> Entry: ...
    async def durable(self) -> None: ...
    async def close(self) -> None: ...


class Nothing:
    """Encodes events and drops them. Every design has this cost."""

    def append(self, run: str, thread: str, event: Event) -> Entry:
        encode(event)
        return Entry(run, thread, time.time(), event)

    async def durable(self) -> None: ...
    async def close(self) -> None: ...


class Inline:
    """Commits on the event loop, once in each iteration."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder, DEFAULTS, new_id())
        self._store.open()
        self._lines: list[Line] = []

    def append(self, run: str, thread: str, event: Event) -> Entry:
        entry = Entry(run, thread, time.time(), event)
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._commit)
        self._lines.append(self._store.line(entry))
        return entry

    def _commit(self) -> None:
        lines, self._lines = self._lines, []
        self._store.write(lines)

    async def durable(self) -> None:
        self._commit()

    async def close(self) -> None:
        self._commit()
        self._store.close()


@dataclass(frozen=True)
class Cost:
    cpu: float
    loop: float
    wall: float
    waits: list[float]


def events() -> list[Event]:
    """One model call and one tool call, about 500 bytes each."""
    call = ToolCall("c1", "consult_coding_specialist", {"query": "y" * 200})
    usage = Usage(1200, 80, 0.0, 0.3, 1.2, 1.5)
    return [
        LaneOpened("l1", "coding", Message("user", "q" * 300), parent="l0", depth=1),
        ModelAsked("a1", "l1", "coding", "qwen2.5-coder:32b", 16384, 1200, "d" * 64),
        ModelReplied("a1", "l1", "coding", "qwen2.5-coder:32b", "ollama02", Message("assistant", "x" * 600, (call,)), usage),
        CallStarted("c1", "l1", "coding", call.name, call.arguments),
        CallFinished("c1", "l1", "coding", call.name, True, Message("tool", "z" * 500, tool_name=call.name, call_id="c1"), 1.0),
    ]


async def session(log: Log, rounds: int, pause: float, waits: list[float]) -> None:
    run, thread, some, count = new_id(), new_id(), events(), 0
    for _ in range(rounds):
        for place, event in enumerate(some):
            log.append(run, thread, event)
            count += 1
            if place in (0, 1, 3):  # A real run waits for a model or a tool here.
                await asyncio.sleep(pause)
            if count % DURABLE_EVERY == 0:
                before = time.perf_counter()
                await log.durable()
                waits.append(time.perf_counter() - before)


async def measure(open_log: Callable[[Path], Awaitable[Log]], sessions: int, rounds: int, pause: float) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        log = await open_log(Path(folder))
        waits: list[float] = []
        cpu, loop, wall = time.process_time(), time.thread_time(), time.perf_counter()
        await asyncio.gather(*(session(log, rounds, pause, waits) for _ in range(sessions)))
        await log.durable()
        cpu, loop, wall = time.process_time() - cpu, time.thread_time() - loop, time.perf_counter() - wall
        await log.close()
    each = 1e6 / (sessions * rounds * len(events()))
    return Cost(cpu * each, loop * each, wall * each, waits)


async def pause_of_loop(open_log: Callable[[Path], Awaitable[Log]], held: float) -> float:
    """The longest time that the loop was blocked while another connection held the file."""
    with tempfile.TemporaryDirectory() as folder:
        log = await open_log(Path(folder))
        other = for_writing(Path(folder) / FILE, DEFAULTS)
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().run_in_executor(None, _let_go, other, held)
        longest, before = 0.0, time.perf_counter()
        until = before + 2 * held
        while before < until:
            log.append("run", "thread", events()[0])
            await asyncio.sleep(0.001)
            longest, before = max(longest, time.perf_counter() - before), time.perf_counter()
        await log.close()
    return longest


def _let_go(other: sqlite3.Connection, held: float) -> None:
    time.sleep(held)
    other.execute("ROLLBACK")
    other.close()


async def longest_wait_beside_a_loop_that_never_rests(tuning: Tuning, rounds: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        async with await Journal.open(Path(folder), tuning=tuning) as log:
            busy = asyncio.create_task(_never_rest())
            longest = 0.0
            for _ in range(rounds):
                before = time.perf_counter()
                log.append("run", "thread", events()[0])
                await log.durable()
                longest = max(longest, time.perf_counter() - before)
            busy.cancel()
    return longest


async def _never_rest() -> None:
    while True:
        until = time.perf_counter() + 0.0002
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def _nothing(_: Path) -> Log:
    return Nothing()


async def _inline(folder: Path) -> Log:
    return Inline(folder)


async def _journal(folder: Path) -> Log:
    return await Journal.open(folder)


LOGS: dict[str, Callable[[Path], Awaitable[Log]]] = {"nothing": _nothing, "inline": _inline, "journal": _journal}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help="how often to measure each design, in turns")
    arguments.add_argument("--sizes", action="store_true", help="measure instead how much the file grows for each byte of new text")
    given = arguments.parse_args()
    if given.sizes:
        print("\n".join(asyncio.run(sizes.report())))
        return
    rounds = given.rounds
    print(
        f"{'sessions':>8} {'pause':>6} {'design':8} {'cpu us/event':>13} {'of it loop':>11} {'wall':>7} {'durable ms: median':>19} {'most':>6}"
    )
    for sessions, calls, pause in ((1, 200, 0.001), (10, 100, 0.001), (100, 20, 0.001), (100, 20, 0.0)):
        found: dict[str, list[Cost]] = {name: [] for name in LOGS}
        for _ in range(rounds):
            for name, open_log in LOGS.items():
                found[name].append(asyncio.run(measure(open_log, sessions, calls, pause)))
        for name, costs in found.items():
            cpu, loop, wall = (statistics.median(values) for values in zip(*((c.cpu, c.loop, c.wall) for c in costs), strict=True))
            waits = sorted(wait * 1e3 for cost in costs for wait in cost.waits)
            print(f"{sessions:8} {pause:6} {name:8} {cpu:13.1f} {loop:11.1f} {wall:7.1f} {statistics.median(waits):19.2f} {waits[-1]:6.1f}")
    for name in ("inline", "journal"):
        print(
            f"longest pause of the loop, file held elsewhere for 300 ms: {name:8} {asyncio.run(pause_of_loop(LOGS[name], 0.3)) * 1e3:6.1f} ms"
        )
    for name, tuning in (("giving way", DEFAULTS), ("never giving way", Tuning(give_way_after=3600))):
        # Whether a thread starves depends on the system's scheduler, so this takes the worst of several tries.
        longest = max(asyncio.run(longest_wait_beside_a_loop_that_never_rests(tuning, 40)) for _ in range(3 * rounds))
        print(f"longest durable beside a loop that never rests, {name}: {longest * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
