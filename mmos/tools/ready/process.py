"""Runs one command to its end. It keeps the beginning and the end of what it prints, and leaves no process of it behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MOST_KEPT = 16_000
"""Bytes that are kept of the beginning, and of the end, of what a command prints."""
BLOCK = 1 << 16
GRACE = 1.0
"""Seconds that a command has to end after it is told to."""


@dataclass
class Output:
    """What a command prints: its beginning and its end."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    left_out: int = 0

    def add(self, block: bytes) -> None:
        room = MOST_KEPT - len(self.head)
        self.head += block[:room]
        self.tail += block[room:]
        if (over := len(self.tail) - MOST_KEPT) > 0:
            del self.tail[:over]
            self.left_out += over

    @property
    def texts(self) -> tuple[str, str]:
        """The beginning and the end. The end is empty when nothing was left out."""
        head, tail = bytes(self.head), bytes(self.tail)
        parts = (head, tail) if self.left_out else (head + tail, b"")
        return parts[0].decode("utf-8", "replace"), parts[1].decode("utf-8", "replace")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None
    """Its exit code; below 0: the signal that ended it. None: it was stopped because its time was over."""
    output: Output


async def run(program: str, words: Sequence[str], folder: Path, variables: Mapping[str, str], seconds: float) -> Ended:
    """Run a program, with the words as it sees them. Raises `OSError` if it cannot be started."""
    # a pipe of our own: asyncio waits for the end of its own pipes, which a process that is left behind keeps open
    ours, theirs = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *words, executable=program, cwd=folder, env=dict(variables), stdin=asyncio.subprocess.DEVNULL, stdout=theirs,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    output = Output()
    reading = asyncio.ensure_future(_read(ours, output))
    try:
        async with asyncio.timeout(seconds) as limit:
            await process.wait()
    except TimeoutError:
        if not limit.expired():
            raise
    finally:
        code = process.returncode
        await _stop(process)  # also what the command left behind, which would keep the pipe open
        await asyncio.wait([reading], timeout=GRACE)  # one that has left the group keeps the pipe open
        reading.cancel()
    return Ended(code, output)


async def _read(pipe: int, output: Output) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb"))
    try:
        while block := await reader.read(BLOCK):
            output.add(block)
    finally:
        transport.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the whole group of processes: first ask, then kill."""
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
