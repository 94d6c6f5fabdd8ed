"""Measures contestants in turns, so that other work on the machine affects all of them alike."""

from __future__ import annotations

import asyncio
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.contestants import BYTES, CALLS_OF_A_JOB, HTTPX, Contestant
from bench.server import ScriptedServer

TASK = "Why does the build fail on the new machine, and what should we do about it first?"
TURNS, EARLY, LATE, SPAN = 200, 10, 200, 10
"""The length of the conversation. The `SPAN` turns that end at turn `EARLY` and at turn `LATE` are measured."""

Figures = dict[str, Any]
Step = Callable[[Contestant], Awaitable[int]]
"""Does a part of the work, and returns the number of model calls."""


@dataclass(frozen=True)
class Plan:
    """The amount of work."""

    rounds: int = 25
    jobs: int = 4
    sessions: int = 100
    session_rounds: int = 5
    turns: int = TURNS
    conversations: int = 3
    tokens: int = 60
    starts: int = 10


QUICK = Plan(rounds=2, jobs=1, sessions=4, session_rounds=1, turns=20, conversations=1, tokens=3, starts=1)


def spread(values: Iterable[float], digits: int = 3) -> Figures:
    found = sorted(values)
    return {"median": round(statistics.median(found), digits), "min": round(found[0], digits), "max": round(found[-1], digits)}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios. Other work on the machine slows down both sides of a round."""
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 3)


@dataclass
class Samples:
    """One contestant's measurements, a value for each round."""

    calls: int = 0
    received: int = 0
    others: int = 0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)


class WrongCalls(Exception):
    """A contestant made more or fewer model calls than the job needs."""


@dataclass
class Arena:
    """The setup of all contestants: one server, one event loop, one contestant at a time."""

    server: ScriptedServer
    contestants: Sequence[Contestant]
    counted: dict[str, dict[str, int]] = field(default_factory=dict)
    """The model calls that each needs, and those that the server counted."""

    @property
    def competing(self) -> list[Contestant]:
        return [contestant for contestant in self.contestants if contestant.name != BYTES]

    async def take(self, contestant: Contestant, step: Step, samples: Samples) -> None:
        """One turn of one contestant. Returns the seconds for each model call."""
        async with self.counting(contestant.name) as tally:
            cpu, wall = time.process_time(), time.perf_counter()
            calls = await step(contestant)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            tally.needed = calls
        samples.calls += calls
        samples.received += tally.received
        samples.others += tally.others
        samples.wall.append(wall / calls)
        samples.cpu.append(cpu / calls)
        samples.server.append(tally.cpu / calls)

    @asynccontextmanager
    async def counting(self, name: str) -> AsyncIterator[Tally]:
        """Check the number of model calls by the server's count."""
        gc.collect()
        self.server.count()
        tally = Tally()
        yield tally
        count = self.server.count()
        tally.received, tally.others, tally.cpu = count.received, count.others, count.cpu
        known = self.counted.setdefault(name, {"needed": 0, "counted": 0, "others": 0})
        known["needed"] += tally.needed
        known["counted"] += count.chats
        known["others"] += count.others
        if count.chats != tally.needed:
            raise WrongCalls(f"{name} made {count.chats} model calls where {tally.needed} were needed")

    async def interleaved(self, rounds: int, step: Step) -> dict[str, Samples]:
        """Measure round by round, all contestants in turn, each time starting with a different one. The first round does not count."""
        competing = self.competing
        found = {contestant.name: Samples() for contestant in competing}
        for number in range(rounds + 1):
            first = number % len(competing)
            for contestant in [*competing[first:], *competing[:first]]:
                await self.take(contestant, step, found[contestant.name] if number else Samples())
        return found


@dataclass
class Tally:
    needed: int = 0
    received: int = 0
    others: int = 0
    cpu: float = 0.0


# ---------------------------------------------------------------- model calls


async def calls_one_by_one(arena: Arena, plan: Plan) -> Figures:
    async def step(contestant: Contestant) -> int:
        for _ in range(plan.jobs):
            await contestant.job(TASK)
        return plan.jobs * CALLS_OF_A_JOB

    return _per_call(await arena.interleaved(plan.rounds, step))


def _per_call(found: Mapping[str, Samples]) -> Figures:
    beside = found[HTTPX]
    return {
        name: {
            "wall_us": spread((value * 1e6 for value in samples.wall), 1),
            "cpu_us": spread((value * 1e6 for value in samples.cpu), 1),
            "wall_ratio": paired(samples.wall, beside.wall),
            "cpu_ratio": paired(samples.cpu, beside.cpu),
            "server_cpu_us": spread((value * 1e6 for value in samples.server), 1),
            "server_share_of_wall": paired(samples.server, samples.wall),
            "request_bytes": samples.received // samples.calls,
            "model_calls": samples.calls,
        }
        for name, samples in found.items()
    }


async def sessions_at_once(arena: Arena, plan: Plan) -> Figures:
    async def step(contestant: Contestant) -> int:
        await asyncio.gather(*(contestant.job(TASK) for _ in range(plan.sessions)))
        return plan.sessions * CALLS_OF_A_JOB

    found = await arena.interleaved(plan.session_rounds, step)
    beside = found[HTTPX]
    return {
        name: {
            "calls_per_second": spread((1 / value for value in samples.wall), 0),
            "cpu_us": spread((value * 1e6 for value in samples.cpu), 1),
            "ratio": paired(beside.wall, samples.wall),
            "cpu_ratio": paired(samples.cpu, beside.cpu),
            "model_calls": samples.calls,
        }
        for name, samples in found.items()
    }


# ---------------------------------------------------------------- a long conversation


async def long_conversation(arena: Arena, plan: Plan) -> Figures:
    """The CPU of an early and of a late turn in one thread, without the cost of the bytes alone.

    The ratio is that of the worst conversation. `drift` is the effect of earlier conversations in the same state folder on a later one.
    """
    early = {contestant.name: list[float]() for contestant in arena.contestants}
    late = {contestant.name: list[float]() for contestant in arena.contestants}
    for number in range(plan.conversations):
        for contestant in arena.contestants:
            costs = await _conversation(arena, contestant, f"conversation {number}", plan.turns)
            early[contestant.name].append(_around(costs, min(EARLY, plan.turns)))
            late[contestant.name].append(_around(costs, min(LATE, plan.turns)))
    return {name: _growth(early[name], late[name], early[BYTES], late[BYTES]) for name in early}


async def _conversation(arena: Arena, contestant: Contestant, thread: str, turns: int) -> list[float]:
    costs = []
    async with arena.counting(contestant.name) as tally:
        for number in range(turns):
            cpu = time.process_time()
            await contestant.turn(thread, f"{TASK} ({number})")
            costs.append((time.process_time() - cpu) * 1e3)
        tally.needed = turns
    return costs


def _around(costs: Sequence[float], turn: int) -> float:
    return statistics.median(costs[max(0, turn - SPAN) : turn])


def _growth(early: Sequence[float], late: Sequence[float], bytes_early: Sequence[float], bytes_late: Sequence[float]) -> Figures:
    own_early = [cost - least for cost, least in zip(early, bytes_early, strict=True)]
    own_late = [cost - least for cost, least in zip(late, bytes_late, strict=True)]
    ratios = [one / other for one, other in zip(own_late, own_early, strict=True) if other > 0]
    return {
        "early_cpu_ms": spread(early),
        "late_cpu_ms": spread(late),
        "ratio": paired(late, early),
        "own_early_cpu_ms": spread(own_early),
        "own_late_cpu_ms": spread(own_late),
        "own_ratio": round(max(ratios), 3) if ratios else None,
        "drift": round(early[-1] / early[0], 3),
    }


# ---------------------------------------------------------------- the first token


async def first_token(arena: Arena, plan: Plan) -> Figures:
    """Seconds from the server's write to the caller's callback, by the clock that all processes share."""
    found: dict[str, list[float]] = {contestant.name: [] for contestant in arena.competing}
    for number in range(plan.tokens + 1):
        for contestant in arena.competing:
            async with arena.counting(contestant.name) as tally:
                late = await _first_token(contestant)
                tally.needed = 1
            if number:
                found[contestant.name].append(late)
    return {name: {"ms": spread(values)} for name, values in found.items()}


async def _first_token(contestant: Contestant) -> float:
    heard: list[tuple[int, str]] = []
    await contestant.first_token(TASK, lambda text: heard.append((time.perf_counter_ns(), text)))
    moment, text = heard[0]
    return (moment - int(text)) / 1e6


# ---------------------------------------------------------------- start


def start_times(plan: Plan) -> Figures:
    """The seconds of whole processes, from start to end."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(plan.starts + 1):
        for name, command in COMMANDS.items():
            wall = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            if number:
                found[name].append((time.perf_counter() - wall) * 1e3)
    bare = found["bare interpreter"]
    return {name: {"ms": spread(values, 1), "ratio": paired(values, bare)} for name, values in found.items()}


COMMANDS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "import mmos": [sys.executable, "-c", "import mmos"],
    "mmos --help": [str(Path(sys.executable).with_name("mmos")), "--help"],
}


async def everything(arena: Arena, plan: Plan) -> Figures:
    return {
        "plan": asdict(plan),
        "calls_of_a_job": CALLS_OF_A_JOB,
        "per_call": await calls_one_by_one(arena, plan),
        "sessions": await sessions_at_once(arena, plan),
        "conversation": await long_conversation(arena, plan),
        "first_token": await first_token(arena, plan),
        "start": await asyncio.to_thread(start_times, plan),
        "model_calls": arena.counted,
    }
