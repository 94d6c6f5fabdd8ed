"""A run in a process of its own that a test kills: python -m tests.killed_run CONFIG STATE LEDGER."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import mmos


def deposit_to(ledger: Path) -> Callable[[int], str]:
    def deposit(number: int) -> str:
        with ledger.open("a", encoding="utf-8") as lines:
            lines.write(f"{number}\n")
        return f"deposited {number}"

    return deposit


async def main(config: str, state: str, ledger: str) -> None:
    async with mmos.open(config, state=state, tools=[deposit_to(Path(ledger))]) as app:
        await app.run("Deposit ten times.")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
