"""Starts, watches and stops one engine process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmos.hosts.embedded import words
from mmos.hosts.faults import Site
from mmos.hosts.openai import OpenAIHost

PROGRAM = Path(__file__).with_name("engine.py")
_BRIEF = {"Connection": "close"}
"""Its server closes idle connections after a few seconds, and a call could use one at that moment."""
_LOG_LINES = 40
_GOODBYE_SECONDS = 2.0
_DEATH_SECONDS = 1.0
_REASON = re.compile(r"error loading model: (?:\S+: )?(.+)|(.*(?:failed to allocate|out of memory|unable to allocate).*)")


@dataclass(frozen=True)
class Order:
    """The model that an engine must load, and its options."""

    name: str
    path: Path
    window: int
    slots: int
    embeds: bool = False

    def line(self, key: str) -> bytes:
        frame = {"name": self.name, "path": str(self.path), "window": self.window, "slots": self.slots, "embeds": self.embeds}
        return json.dumps({**frame, "key": key, "parent": os.getpid()}).encode() + b"\n"


@dataclass
class Engine:
    """A process that serves a model."""

    order: Order
    site: Site
    process: asyncio.subprocess.Process
    key: str
    url: str = ""
    _client: OpenAIHost | None = None
    _log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))
    _listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, order: Order, python: Sequence[str], site: Site) -> Engine:
        """Start a process, and wait until the model is loaded. A cancellation ends the process."""
        process = await asyncio.create_subprocess_exec(
            *python, "-P", str(PROGRAM), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        engine = cls(order, site, process, secrets.token_urlsafe(24))
        engine._listening = asyncio.create_task(engine._listen())
        try:
            engine.url = await engine._loaded()
        finally:
            if not engine.url:
                await engine.stop(at_once=True)
        return engine

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @property
    def client(self) -> OpenAIHost:
        """The client of its server. The key keeps other users of the machine out."""
        if self._client is None:
            self._client = OpenAIHost(self.site.host, f"{self.url}/v1", headers={"Authorization": f"Bearer {self.key}", **_BRIEF})
        return self._client

    async def died(self) -> bool:
        """Whether the process is dead. Waits a moment, because the exit code comes a little later."""
        try:
            await asyncio.wait_for(self.process.wait(), _DEATH_SECONDS)
        except TimeoutError:
            return False
        return True

    async def stop(self, *, at_once: bool = False) -> None:
        """End the process, and wait until it is gone. `at_once`: kill it."""
        if self._client is not None:
            await self._client.close()
        if self.process.stdin is not None:
            self.process.stdin.close()  # this makes it end
        try:
            async with asyncio.timeout(0 if at_once else _GOODBYE_SECONDS):
                await self.process.wait()
        except TimeoutError:
            pass
        finally:
            if self.alive:
                self.process.kill()
        await self.process.wait()
        if self._listening is not None:
            await self._listening

    def reason(self) -> str:
        """The error in its log. Empty: there is none."""
        for line in self._log:
            if found := _REASON.search(line):
                return (found.group(1) or found.group(2)).strip()
        return ""

    async def _loaded(self) -> str:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(self.order.line(self.key))
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is already dead, and its last output has the reason
        answer: dict[str, Any] = json.loads(await stdout.readline() or b"{}")
        if url := answer.get("url"):
            return str(url)
        if "missing" in answer:
            raise words.no_engine(self.site)
        await self.died()
        if "failed" in answer:
            raise words.not_loaded(self.site, self.order.path, self.reason())
        raise words.died_loading(self.site, self.process.returncode, self.reason())

    async def _listen(self) -> None:
        """Read its log, so that the process never waits, and keep the last lines."""
        log = self.process.stderr
        assert log is not None
        while not log.at_eof():
            try:
                line = await log.readline()
            except ValueError:  # a line without an end, such as a template from the model's file
                continue
            self._log.append(line.decode(errors="replace").rstrip())
