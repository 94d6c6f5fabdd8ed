"""Runs Ollama servers on this machine, one for each choice of GPUs: starts, watches and stops them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mmos.errors import HostError, HostUnreachable, UsageError
from mmos.hosts.ollama import OllamaHost

ADDRESS = "127.0.0.1"
LAUNCHER = Path(__file__).with_name("launcher.py")
_START_SECONDS = 60.0
_STOP_SECONDS = 12.0
_LOOK_SECONDS = 0.05
_LONGEST_PAUSE = 60.0
_STEADY_SECONDS = 60.0
"""A server that ran so long is healthy: its next pause is short again."""
_TAIL_BYTES = 4096

Report = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A server to run."""

    name: str
    gpus: tuple[int, ...]
    port: int
    environment: Mapping[str, str]
    """What it gets beside the environment of this process."""
    log: Path | None = None
    """The file for its log."""

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}"

    def check(self) -> None:
        """Raise if its port is in use."""
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((ADDRESS, self.port))
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise UsageError(
                    f"{self.name} cannot listen on port {self.port}: {reason}.",
                    next_step="Is a server running there already? Choose other ports with --port.",
                ) from None


class Server:
    """An Ollama server in a process of ours."""

    def __init__(self, plan: Plan, program: Path, *, pause: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self._program = program
        self._pause = pause
        """Seconds before the first new start."""
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._tail = b""

    async def start(self) -> str:
        """Start it and wait until it answers. Returns its version."""
        self._tail = b""
        address = f"{ADDRESS}:{self.plan.port}"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(LAUNCHER), str(self._program), "serve", env={**os.environ, **self.plan.environment, "OLLAMA_HOST": address},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._listening = asyncio.create_task(self._listen(self._process))
        host = OllamaHost(self.plan.name, self.plan.url)
        try:
            async with asyncio.timeout(_START_SECONDS):
                return await self._answer(host, self._process)
        except TimeoutError:
            await self.stop()
            raise HostUnreachable(
                f"{self.plan.name} did not answer within {_START_SECONDS:g} s.{self._last_line()}", host=self.plan.name
            ) from None
        finally:
            await host.close()

    async def _answer(self, host: OllamaHost, process: asyncio.subprocess.Process) -> str:
        while process.returncode is None:
            with suppress(HostError):
                return await host.version()
            await asyncio.sleep(_LOOK_SECONDS)
        await self.stop()
        raise HostUnreachable(self.ending(), host=self.plan.name, next_step="Does it run when you type: ollama serve")

    async def keep(self, report: Report) -> None:
        """Start it again whenever it ends, each time after a longer pause."""
        pause = self._pause
        while True:
            began = self._clock()
            await self._ended()
            pause = self._pause if self._clock() - began > _STEADY_SECONDS else pause
            report(f"{self.ending()} It starts again in {pause:g} s.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            with suppress(HostError):  # it ended again, and the next round reports it
                report(f"{self.plan.name} answers again, version {await self.start()}.")

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()
        await self.stop()

    async def stop(self) -> None:
        """End it, and wait until it is gone."""
        process, listening = self._process, self._listening
        if process is None or process.stdin is None or listening is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
        await process.wait()
        await listening

    def ending(self) -> str:
        """How it ended, with the last line of its log."""
        code = self._process.returncode if self._process else None
        how = (
            f"signal {signal.Signals(code - 128).name}" if code is not None and code - 128 in list(signal.Signals) else f"exit code {code}"
        )
        return f"{self.plan.name} ended ({how}).{self._last_line()}"

    def _last_line(self) -> str:
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines() if line.strip()]
        return f" Its last words: {lines[-1]}" if lines else ""

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Read its log, so that it never waits, and keep the end of it."""
        assert process.stdout is not None
        while piece := await process.stdout.read(1 << 16):
            self._tail = (self._tail + piece)[-_TAIL_BYTES:]
            if self.plan.log is not None:
                with self.plan.log.open("ab") as file:
                    file.write(piece)


async def run(servers: Sequence[Server], ready: Callable[[Sequence[str]], None], report: Report) -> None:
    """Run these servers until this task is cancelled. `ready` gets their versions when all of them answer."""
    for server in servers:
        server.plan.check()
    try:
        ready(await asyncio.gather(*(server.start() for server in servers)))
        await asyncio.gather(*(server.keep(report) for server in servers))
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
