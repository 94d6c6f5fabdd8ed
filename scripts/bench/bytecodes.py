"""Counts the bytecodes that MMOS executes for a job, on all threads. It imports MMOS and the job from the checkout in its first argument."""

from __future__ import annotations

import asyncio
import collections
import sys
import tempfile
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

WARM_UP = 10
LINGER = 3.0
"""The journal waits so long for more entries, because counting makes everything slow."""


class Counter:
    """Counts while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.by_code: collections.Counter[CodeType] = collections.Counter()

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not self.on:
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.by_code[frame.f_code] += 1
        return self.trace


async def count(jobs: int) -> dict[CodeType, float]:
    from bench.contestants import contestants
    from bench.measure import TASK
    from bench.server import scripted_server

    counter = Counter()
    threading.settrace(counter.trace)
    with scripted_server(drip=False) as server, tempfile.TemporaryDirectory() as folder:
        async with contestants(server.url, Path(folder)) as (ours, *_):
            for _ in range(WARM_UP):
                await ours.job(TASK)
            counter.on = True
            sys.settrace(counter.trace)
            for _ in range(jobs):
                await ours.job(TASK)
            sys.settrace(None)
            counter.on = False
    return {code: count / jobs for code, count in counter.by_code.most_common()}


def main() -> None:
    checkout, jobs, functions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sys.path[:0] = [str(checkout), str(checkout / "scripts")]
    from mmos.journal import connect

    object.__setattr__(connect.DEFAULTS, "linger", LINGER)
    counts = asyncio.run(count(jobs))
    print(sum(counts.values()))
    for code in list(counts)[:functions]:
        print(f"{counts[code]:10,.0f}  {code.co_filename.removeprefix(f'{checkout}/')}: {code.co_qualname}")


if __name__ == "__main__":
    main()
