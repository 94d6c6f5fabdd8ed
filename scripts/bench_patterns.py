"""Measures on rehearsal hosts what patterns gain and cost: `just bench-patterns`. `--check` fails if a promise is not kept."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mmos.app import App, RunOptions, open_app
from mmos.messages import File
from mmos.pattern_events import MemberEnded
from mmos.rehearsal.host import Host
from mmos.rehearsal.memory import GIB
from mmos.rehearsal.personas import Model, Speed
from mmos.rehearsal.server import serve

SCALE = 10.0
"""How many times as fast as real time the hosts' clocks run."""
FILES = 48
JOINING = ("conflicts", "merge")
"""The keys of what puts the results together."""
FASTER = 3.4
"""How many times as fast parallel work over four hosts must be as over one."""
SLOWER = 1.15
"""How many times as long as its slowest member an ensemble of four may take."""
WORDS = "The file opens a socket and never closes it, so each request leaves one behind until the process has none left. " * 4
LONG = WORDS * 3


@dataclass(frozen=True)
class Fleet:
    """An app and its hosts."""

    app: App
    hosts: Sequence[Host]

    async def seconds(self, pattern: dict[str, Any], files: Sequence[File] = ()) -> tuple[float, float]:
        """How long a run with this pattern takes until the last member has answered, and in all: in the hosts' seconds."""
        answer = await self.app.run("Is it A or B? What is wrong here?", files=files, options=RunOptions(pattern=pattern))
        assert answer.status == "answered", answer.reason
        entries = await self.app.journal.read(run=answer.run)
        ends = [entry.time for entry in entries if isinstance(entry.event, MemberEnded) and entry.event.key not in JOINING]
        assert all(entry.event.status == "answered" for entry in entries if isinstance(entry.event, MemberEnded))
        return (max(ends) - entries[0].time) * SCALE, (entries[-1].time - entries[0].time) * SCALE

    async def alone(self, model: str) -> float:
        """The seconds of a run in which a model answers alone."""
        answer = await self.app.run("Is it A or B? What is wrong here?", options=RunOptions(model=model))
        assert answer.status == "answered", answer.reason
        entries = await self.app.journal.read(run=answer.run)
        return (entries[-1].time - entries[0].time) * SCALE


def model(name: str, *, factor: float = 1.0, text: str = WORDS) -> Model:
    speed = Speed(4.0, 1000.0 / factor, 40.0 / factor)
    turns = [lambda prompt: '{"conflicts": []}' if prompt.format else text]
    return Model.scripted(name, turns, repeat=True, size=6 * GIB, speed=speed)


@asynccontextmanager
async def fleet(models: Sequence[Sequence[Model]], **host: Any) -> AsyncIterator[Fleet]:
    """A host for each group of models."""
    async with AsyncExitStack() as stack:
        hosts = [Host(f"gpu{number}", group, SCALE, **host) for number, group in enumerate(models)]
        urls = {one.name: await stack.enter_async_context(serve(one)) for one in hosts}
        servers = {name: {"url": url, "parallel": 1, "time_scale": SCALE, "vram_gb": host.get("vram_gb")} for name, url in urls.items()}
        arbiter = {"model": models[0][0].name}
        app = await stack.enter_async_context(open_app({"orchestration": {"servers": servers, "arbiter": arbiter}}))
        yield Fleet(app, hosts)


async def work(hosts: int) -> tuple[float, float]:
    """The seconds of one review of many files on so many hosts. The model is in memory everywhere."""
    files = [File(f"part{number}.py", f"value = {number}\n" * 20) for number in range(FILES)]
    async with fleet([[model("worker:7b")]] * hosts, vram_gb=24) as on:
        for _ in range(hosts):
            await asyncio.gather(*(on.app.fleet.ask("worker:7b", [{"role": "user", "content": "Hello."}]) for _ in range(hosts)))
        return await on.seconds({"pattern": "parallel", "models": ["worker:7b"]}, files)


async def ensemble() -> tuple[float, float]:
    """The seconds of the slowest of four members alone, and of all four, each on a host of its own."""
    members = [model(f"member{number}:7b", factor=factor, text=f"{LONG}\nAnswer: A") for number, factor in enumerate((1.0, 1.2, 1.5, 2.0))]
    async with fleet([[one] for one in members], vram_gb=24) as on:
        names = [one.name for one in members]
        pattern = {"pattern": "ensemble", "aggregate": "vote", "voting": "majority", "models": names}
        await on.seconds(pattern)  # loads the models
        return await on.alone(names[-1]), (await on.seconds(pattern))[1]


async def loads(*, arrival: bool) -> int:
    """The loads of two tasks for an ensemble of three on one GPU that holds one of them, with the answer that its first member writes.

    `arrival`: the members are asked one after the other in their order.
    """
    names = [f"member{number}:7b" for number in range(3)]
    async with fleet([[model(name, text="It is A.") for name in names]], vram_gb=8) as on:
        await on.alone(names[-1])
        before = on.hosts[0].loads
        for _ in range(2):
            if arrival:
                for name in (*names, names[0]):
                    await on.alone(name)
            else:
                await on.seconds({"pattern": "ensemble", "models": names})
        return on.hosts[0].loads - before


async def main(*, check: bool) -> int:
    one, four = await work(1), await work(4)
    faster = one[0] / four[0]
    print(f"parallel work on {FILES} files: {one[0]:.0f} s on one host, {four[0]:.0f} s on four: {faster:.2f} times as fast")
    print(f"  with the model that puts the results together: {one[1]:.0f} s and {four[1]:.0f} s: {one[1] / four[1]:.2f} times as fast")
    slowest, whole = await ensemble()
    print(f"an ensemble of 4 on 4 hosts: {whole:.1f} s, its slowest member alone {slowest:.1f} s: {whole / slowest:.2f} times as long")
    arrival, ours = await loads(arrival=True), await loads(arrival=False)
    print(f"two tasks for an ensemble of 3 on a GPU that holds one model: {ours} loads, {arrival} in the order of arrival")
    return int(check and (faster < FASTER or whole / slowest > SLOWER or ours >= arrival))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a promise is not kept")
    sys.exit(asyncio.run(main(check=parser.parse_args().check)))
