"""Writes into the journal of a folder from a process of its own, and says on stdout what it was told is durable."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mmos.events import Warned
from mmos.journal import Journal


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def write(journal: Journal, run: str, count: int) -> None:
    for number in range(count):
        journal.append(run, f"thread of {run}", Warned(f"{number} {'x' * 300}"))
        if number % 3 == 2:
            await journal.durable()
            say(f"{run} {number}")
    await journal.durable()


async def main(folder: str, name: str, runs: int, count: int) -> None:
    async with await Journal.open(Path(folder)) as journal:
        say(f"process {journal.process}")
        async with asyncio.TaskGroup() as group:
            for number in range(runs):
                group.create_task(write(journal, f"{name}{number}", count))
    say("closed 0")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
