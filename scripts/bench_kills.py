#!/usr/bin/env python
"""Kills a run at random instants, resumes it, and counts what was done twice: effects, model calls, answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from bench.killed import ANSWER, EFFECTS, IN_STEPS, Ledger, config_for, models, tools

import mmos
from mmos.events import RunFinished
from mmos.testing import Host, serve

Disk = Literal["usual", "slow", "full"]
HERE = Path(__file__).parent
PAGES = (40, 70)
"""The pages of a journal that gets full in the middle of the run."""


@dataclass
class Tally:
    """What came of all kills."""

    disk: Disk
    kills: int = 0
    too_early: int = 0
    """Before the run was in the journal. The task was given again."""
    too_late: int = 0
    """The run had ended."""
    same_answer: int = 0
    effects_once: int = 0
    begun_again: int = 0
    """Effects of finished or cut-off calls that began a second time."""
    questions: int = 0
    model_calls: int = 0
    model_calls_again: int = 0
    """Requests that a host had answered whole, and that came again."""
    built_upon_again: int = 0
    """Of these: a later request of the same run had been sent before."""
    resume_ms: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return not self.faults and self.same_answer == self.kills == self.effects_once and not (self.begun_again or self.built_upon_again)


def main() -> int:
    given = _arguments()
    tally = asyncio.run(measure(given.kills, given.disk, random.Random(given.seed)))
    if given.json:
        print(json.dumps({"version": 1, **asdict(tally), "kept": tally.kept}, indent=2))
    else:
        print("\n".join(lines(tally)))
    return int(given.check and not tally.kept)


def lines(tally: Tally) -> Iterator[str]:
    of = f"of {tally.kills}"
    yield f"{tally.kills} kills on a disk that is {tally.disk}; {tally.too_early + tally.too_late} more came before or after the run"
    yield f"  the same answer          {tally.same_answer} {of}"
    yield f"  every effect once        {tally.effects_once} {of}"
    yield f"  effects begun again      {tally.begun_again}"
    yield f"  questions to the user    {tally.questions}"
    yield f"  model calls              {tally.model_calls}"
    yield f"  answered, and sent again {tally.model_calls_again}, of which something was built on {tally.built_upon_again}"
    yield f"  ms to read and resume, to the first request: median {statistics.median(tally.resume_ms or [0]):.0f}, most {max(tally.resume_ms or [0]):.0f}"
    yield from tally.faults


async def measure(kills: int, disk: Disk, chance: random.Random) -> Tally:
    tally = Tally(disk)
    with tempfile.TemporaryDirectory() as folder:
        host = Host("here", list(models().values()), parallel=8, time_scale=1.0)
        async with serve(host) as url:
            config = Path(folder) / "orchestration.yaml"
            config.write_text(json.dumps(config_for(url)))
            nursery = await Nursery.open()
            child = await nursery.start(config, Path(folder) / "whole", 0)
            begin = time.monotonic()
            await nursery.end(child, 60)
            length = time.monotonic() - begin
            number = 0
            while tally.kills < kills:
                number += 1
                case = Case(host, nursery, config, Path(folder) / f"run{number}", disk, chance)
                await case.play(tally, length)
                _show(tally, kills)
            await nursery.close()
    return tally


def _show(tally: Tally, kills: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{tally.kills} of {kills}", end="", file=sys.stderr, flush=True)


@dataclass
class Nursery:
    """Starts processes for runs, one at a time. They begin at once, because they import nothing."""

    process: asyncio.subprocess.Process

    @classmethod
    async def open(cls) -> Nursery:
        paths = os.pathsep.join([str(HERE), str(HERE.parent)])
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.killed", env={**os.environ, "PYTHONPATH": paths},
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )
        )  # fmt: skip

    async def start(self, config: Path, state: Path, pages: int) -> int:
        """The id of a process that has opened its journal."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([str(config), str(state), str(state.with_suffix(".ledger")), pages]).encode() + b"\n")
        child, ready = await self._line(), ""
        while ready != "ready":
            ready = await self._line()
        return int(child)

    async def end(self, child: int, seconds: float) -> bool:
        """Kill the process after this time. Returns whether it was still at work."""
        try:
            await asyncio.wait_for(self._line(), seconds)
        except TimeoutError:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(child, signal.SIGKILL)
            return await self._line() != "ended 0"
        return False

    async def _line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


@dataclass
class Case:
    """One run that is killed, perhaps more than once, and then resumed."""

    host: Host
    nursery: Nursery
    config: Path
    state: Path
    disk: Disk
    chance: random.Random

    async def play(self, tally: Tally, length: float) -> None:
        ledger, sent = self.state.with_suffix(".ledger"), self.host.requests.total
        self.state.mkdir()
        kills = 0
        with _slow(self.state) if self.disk == "slow" else nullcontext():
            while not kills or self.chance.random() < 0.3:  # some runs are killed again after they were resumed
                pages = self.chance.randint(*PAGES) if self.disk == "full" else 0
                child = await self.nursery.start(self.config, self.state, pages)
                if not await self.nursery.end(child, self.chance.uniform(0, length)):
                    break
                kills += 1
            await self._settle(tally, Ledger(ledger), sent, kills)

    async def _settle(self, tally: Tally, ledger: Ledger, sent: int, kills: int) -> None:
        begin, before = time.monotonic(), self.host.requests.total
        async with mmos.open(str(self.config), state=self.state, tools=list(tools(ledger))) as app:
            runs = await app.journal.read(kinds=("run_started",))
            if not runs or not kills:
                tally.too_early += not runs
                tally.too_late += bool(runs)
                return
            ended = await app.journal.read(run=runs[0].run, kinds=("run_finished",))
            if any(isinstance(entry.event, RunFinished) and entry.event.status == "answered" for entry in ended):
                tally.too_late += 1
                return
            first = asyncio.create_task(self._first_request(before, begin))
            answer = await app.resume(runs[0].run)
            first.cancel()
            with suppress(asyncio.CancelledError):
                tally.resume_ms.append(await first)
        tally.kills += kills
        tally.same_answer += kills * (answer.text == ANSWER)
        tally.effects_once += kills * all(ledger.done(number) == 1 for number in EFFECTS)
        tally.begun_again += sum(max(0, ledger.begun(number) - 1) for number in EFFECTS if number not in IN_STEPS)
        tally.questions += len(answer.view.questions)
        self._count_calls(tally, sent)
        if answer.text != ANSWER:
            tally.faults.append(f"{answer.run}: {answer.status}, {answer.reason and answer.reason.message}")

    async def _first_request(self, before: int, begin: float) -> float:
        while self.host.requests.total == before:
            await asyncio.sleep(0.001)
        return 1000 * (time.monotonic() - begin)

    def _count_calls(self, tally: Tally, sent: int) -> None:
        """Count requests that came again although the host had answered them whole."""
        new = self.host.requests.total - sent
        chats = [entry for entry in list(self.host.requests)[-new:] if entry.path == "/api/chat" and entry.json["messages"]]
        tally.model_calls += len(chats)
        answered: Counter[bytes] = Counter()
        for place, entry in enumerate(chats):
            if answered[entry.body]:
                tally.model_calls_again += 1
                longer = (
                    other.json["messages"][: len(entry.json["messages"])] == entry.json["messages"]
                    for other in chats[:place]
                    if other.model == entry.model and len(other.json["messages"]) > len(entry.json["messages"])
                )
                tally.built_upon_again += any(longer)
            answered[entry.body] += entry.status == 200 and not entry.cancelled


@contextmanager
def _slow(state: Path) -> Iterator[None]:
    """Keep the journal locked most of the time, as a slow disk or another busy process does."""
    ended = threading.Event()

    def hold() -> None:
        while not ended.wait(0.01):
            if not (state / "journal.db").exists():
                continue
            with suppress(sqlite3.Error):
                database = sqlite3.connect(state / "journal.db", isolation_level=None, timeout=0.05)
                database.execute("BEGIN IMMEDIATE")
                ended.wait(0.03)
                database.execute("COMMIT")
                database.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many (200)")
    parser.add_argument(
        "--disk",
        choices=("usual", "slow", "full"),
        default="usual",
        help="slow: somebody else holds the journal most of the time; full: it gets full in the middle of the run",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other instants (0)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a run did not end as if nothing had happened")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
