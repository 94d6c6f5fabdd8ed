#!/usr/bin/env python
"""Measures what MMOS costs besides the model: it runs the same job through MMOS and by hand, on a server that takes no time."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import platform
import pstats
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contestants import contestants
from bench.measure import QUICK, TASK, Arena, Plan, everything
from bench.report import LIMITS, lines
from bench.server import scripted_server

SHOWN = 40


def main() -> int:
    given = _arguments()
    if given.profile:
        _profile(given.profile, given.rounds or 100, drip=given.drip)
        return 0
    plan = QUICK if given.quick else Plan()
    figures = measure(replace(plan, rounds=given.rounds or plan.rounds), drip=given.drip)
    if given.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(lines(figures)))
    return int(given.check and not all(limit["kept"] for limit in figures["limits"]))


def measure(plan: Plan, *, drip: bool) -> dict[str, Any]:
    async def work(folder: Path) -> dict[str, Any]:
        async with contestants(server.url, folder) as present:
            return await everything(Arena(server, present), plan)

    with scripted_server(drip=drip) as server, tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(work(Path(folder)))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {"version": 1, "python": python, "drip": drip, **figures, "limits": [limit.check(figures) for limit in LIMITS]}


def _profile(what: str, rounds: int, *, drip: bool) -> None:
    """Profile only MMOS, and only the thread of its event loop."""
    profile = cProfile.Profile()

    async def work(folder: Path) -> None:
        async with contestants(server.url, folder) as (ours, *_):

            async def once(number: int) -> None:
                await (ours.turn("profiled", f"{TASK} ({number})") if what == "turn" else ours.job(TASK))

            await once(-1)  # the first round opens connections, so it does not count
            profile.enable()
            if what == "sessions":
                await asyncio.gather(*(once(number) for number in range(rounds)))
            else:
                for number in range(rounds):
                    await once(number)
            profile.disable()

    with scripted_server(drip=drip) as server, tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder)))
        print(f"{server.count().chats} model calls")
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(SHOWN)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each of them does its jobs, in turns")
    parser.add_argument("--quick", action="store_true", help="a run of a few seconds that shows that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--check", action="store_true", help="exit 1 when a limit is missed")
    parser.add_argument("--drip", action="store_true", help="the server sends each line in its own write")
    parser.add_argument("--profile", nargs="?", const="job", choices=("job", "sessions", "turn"), help="show where MMOS spends its time")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
