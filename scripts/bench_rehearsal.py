#!/usr/bin/env python
"""Measures one rehearsal host on one core: requests a second, a thousand idle connections, and whether its memory stays flat."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "What is a test?"}], "stream": False}).encode()
REQUEST = b"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
SERVE = """
import asyncio
from mmos.rehearsal import Host, Model, serve

async def main():
    model = Model.scripted("m", ["A test asks one question and knows the answer."], repeat=True)
    async with serve(Host("bench", [model])) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(frozen=True)
class Plan:
    connections: int = 32
    timed: int = 20_000
    idle: int = 1_000
    settling: int = 25_000
    """Send requests until the log of the host is full."""
    lasting: int = 200_000


QUICK = Plan(connections=8, timed=200, idle=50, settling=200, lasting=400)


class Asking(asyncio.Protocol):
    """A client that sends the next request as soon as it has an answer, until none is left."""

    def __init__(self, left: Iterator[int], done: asyncio.Future[None], waits: list[float]) -> None:
        self._left = left
        self._done = done
        self._waits = waits
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if next(self._left, None) is None:
            self._transport.close()
            self._done.set_result(None)
        else:
            self._asked = time.perf_counter()
            self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the host answered {head[:60]!r}")
        self._buffer = b""
        self._waits.append(time.perf_counter() - self._asked)
        self._ask()


async def hammer(port: int, connections: int, requests: int) -> dict[str, float]:
    """Send this many requests over this many connections without a pause."""
    loop, left = asyncio.get_running_loop(), iter(range(requests))
    waits: list[float] = []
    began = time.perf_counter()
    done = []
    for _ in range(connections):
        future: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda future=future: Asking(left, future, waits), "127.0.0.1", port)  # type: ignore[misc]
        done.append(future)
    await asyncio.gather(*done)
    seconds = time.perf_counter() - began
    waits.sort()
    middle, late = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    return {"requests_per_second": round(requests / seconds), "p50_ms": round(middle * 1e3, 2), "p99_ms": round(late * 1e3, 2)}


async def counted(port: int) -> int:
    """How many requests the host itself has seen."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /__stats HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    return int(json.loads(body)["total"])


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """Start a host in its own process, on its own core if there are two. Returns its port and its process."""
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(process.pid, cores[:1])
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[1:])
        assert process.stdout is not None
        yield int(process.stdout.readline().rsplit(":", 1)[1]), process.pid
    finally:
        os.sched_setaffinity(0, cores)
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def measure(plan: Plan, port: int, pid: int) -> dict[str, Any]:
    await hammer(port, plan.connections, plan.timed // 10)
    alone = await hammer(port, plan.connections, plan.timed)
    before = resident_mib(pid)
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(plan.idle)]
    crowd = {"connections": plan.idle, "mib": round(resident_mib(pid) - before, 1), **await hammer(port, plan.connections, plan.timed)}
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    await hammer(port, plan.connections, plan.settling)
    settled = resident_mib(pid)
    await hammer(port, plan.connections, plan.lasting)
    memory = {"requests": plan.lasting, "before_mib": settled, "after_mib": resident_mib(pid)}
    return {"alone": alone, "idle": crowd, "memory": memory, "host": {"requests": await counted(port)}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few requests, to see that it works")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    plan = QUICK if given.quick else Plan()
    with served() as (port, pid):
        figures = asyncio.run(measure(plan, port, pid))
    if given.json:
        print(json.dumps({"python": platform.python_version(), "plan": asdict(plan), **figures}))
        return 0
    for name, row in figures.items():
        print(f"{name:>7}  " + "  ".join(f"{key} {value:,}" for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
