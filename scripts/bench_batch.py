#!/usr/bin/env python
"""Measures a batch on four rehearsal hosts of which two die and return. With --kill the batch itself is killed in the middle, too, and goes on."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import yaml

from mmos.journal import Journal
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, Speed
from mmos.simulation.outages import Plug, plugged
from mmos.testing import configuration

HOSTS = ("one", "two", "three", "four")
OUTAGES = (("one", 0.2, 0.4), ("two", 0.3, 0.6))
"""Hosts without power, from this part of the results to that part."""
KILLED = 0.5
"""At this part of the results the batch is killed."""
TIME_SCALE = 50.0
SPEED = Speed(load_seconds=2.0, prefill=4000.0, decode=200.0)
ANSWER = "A mutex is a lock that one thread at a time can hold. " * 4
EVERY = 0.1
"""Seconds between two looks at the batch."""


@dataclass
class Figures:
    """What a batch gave, and what it cost."""

    tasks: int
    results: int = 0
    answered: int = 0
    lost: int = 0
    twice: int = 0
    """Results of one line, and runs of one line, beyond the first."""
    out_of_order: int = 0
    seconds: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)
    """Resident kB of the process, at parts of the results."""
    journal_bytes: int = 0
    codes: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """The memory at the end, for that at a tenth."""
        return self.memory.get("100 %", 0) / max(1, self.memory.get("10 %", 0))

    @property
    def kept(self) -> bool:
        return not (self.lost or self.twice or self.out_of_order) and self.answered == self.tasks

    def lines(self) -> list[str]:
        rate = self.tasks / self.seconds
        memory = ", ".join(f"{size / 1024:.0f} MB at {part}" for part, size in self.memory.items())
        return [
            f"{self.tasks:,} tasks: {self.results:,} results, {self.answered:,} answered, {self.lost} lost, {self.twice} twice, {self.out_of_order} out of order",
            f"{self.seconds:.1f} s, {rate:.0f} tasks a second, exit codes {self.codes}",
            f"memory: {memory}; end to 10 %: {self.growth:.2f}",
            f"journal: {self.journal_bytes / 1e6:.1f} MB, {self.journal_bytes / self.tasks:,.0f} bytes a task",
        ]


def main() -> int:
    given = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), given.tasks, given.concurrency, kill=given.kill))
    print(json.dumps(asdict(figures) | {"growth": figures.growth}, indent=2) if given.json else "\n".join(figures.lines()))
    return int(given.check and not figures.kept)


async def measure(folder: Path, tasks: int, concurrency: int, *, kill: bool) -> Figures:
    model = Model.scripted("arbiter", [ANSWER], repeat=True, speed=SPEED)
    hosts = [Host(name, [model], parallel=8, time_scale=TIME_SCALE) for name in HOSTS]
    with (folder / "tasks.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"task": f"What is a mutex? ({number})", "id": number}) + "\n" for number in range(tasks))
    figures, begun = Figures(tasks), time.monotonic()
    async with plugged(hosts) as plugs:
        tree = configuration({"arbiter": model}, {host.name: host.url for host in hosts}, {})
        for server in tree["orchestration"]["servers"].values():
            server["time_scale"] = TIME_SCALE
        (folder / "orchestration.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
        power = Power(plugs)
        for until in (KILLED, 1.0) if kill else (1.0,):
            figures.codes.append(await _run(folder, figures, power, concurrency, until))
    figures.seconds = round(time.monotonic() - begun, 1)
    await _count(folder, figures)
    return figures


async def _run(folder: Path, figures: Figures, power: Power, concurrency: int, until: float) -> int:
    """Run the command, pull plugs and read its memory on the way. It is killed at this part of the results, unless that is all."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mmos", "run", "--batch", "tasks.jsonl", "--out", "out.jsonl", "--concurrency", str(concurrency), cwd=folder
    )
    try:
        while process.returncode is None:
            part = _written(folder) / figures.tasks
            for name in HOSTS:
                await power.switch(name, part)
            _weigh(process.pid, figures, part)
            if until < 1.0 and part >= until:
                process.send_signal(signal.SIGKILL)
                break
            await asyncio.sleep(EVERY)
    finally:
        if process.returncode is None and until < 1.0:
            process.kill()
        code = await process.wait()
    return code


@dataclass
class Power:
    """The plugs of all hosts, and which hosts have no power."""

    plugs: Mapping[str, Plug]
    off: set[str] = field(default_factory=set)

    async def switch(self, name: str, part: float) -> None:
        """Pull or put in the plug of a host, as it should be at this part of the results."""
        due = any(host == name and begin <= part < end for host, begin, end in OUTAGES)
        if due and name not in self.off:
            self.off.add(name)
            await self.plugs[name].pull()
        elif not due and name in self.off:
            self.off.remove(name)
            await self.plugs[name].put_in()


def _written(folder: Path) -> int:
    """How many results there are, by the size of the file: reading it over and over would take longer than the batch."""
    path = folder / "out.jsonl"
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 20_000))
        whole = file.read().splitlines()[:-1]
    return json.loads(whole[-1])["line"] if len(whole) > 1 else 0


def _weigh(process: int, figures: Figures, part: float) -> None:
    """The memory of the process, when it first comes to a tenth, to a half, and last."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return
    size = next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")), 0)
    if not size:
        return
    for name, least in (("10 %", 0.1), ("50 %", 0.5)):
        if part >= least:
            figures.memory.setdefault(name, size)
    figures.memory.pop("100 %", None)
    figures.memory["100 %"] = size


async def _count(folder: Path, figures: Figures) -> None:
    lines: list[int] = []
    runs: Counter[str] = Counter()
    with (folder / "out.jsonl").open("rb") as file:
        for text in file:
            result = json.loads(text)
            lines.append(result["line"])
            runs[result["run"]] += 1
            figures.answered += result["status"] == "answered"
    figures.results = len(lines)
    figures.lost = figures.tasks - len(set(lines))
    figures.out_of_order = sum(later < earlier for earlier, later in pairwise(lines))
    async with await Journal.open(folder / ".mmos", read_only=True) as journal:
        started = len(await journal.read(kinds=("run_started",)))
        figures.journal_bytes = journal.size
    figures.twice = (len(lines) - len(set(lines))) + sum(count - 1 for count in runs.values()) + max(0, started - figures.tasks)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000, help="how many tasks (10000)")
    parser.add_argument("--concurrency", type=int, default=32, help="how many run at once (32)")
    parser.add_argument("--kill", action="store_true", help="kill the batch when half of the results are there, and go on")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--check", action="store_true", help="exit 1 when a task is lost, done twice or without an answer")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.pop("MMOS_CONFIG", None)
    sys.exit(main())
