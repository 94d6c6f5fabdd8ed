"""The servers under comparison, rehearsed and real, behind one face: what is asked of them and what is done to them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from real_ollama import server as real

from mmos.rehearsal import Host, serve
from tests.live.cast import CAST

CACHE = real.cache_folder()
"""Where built servers lie, looked up before tests are given a home of their own."""
WANTED = bool(os.environ.get("MMOS_LIVE"))
OWN = os.environ.get("OLLAMA_BIN") if WANTED else None
PATIENCE = 60.0
GONE_SECONDS = 10.0


@dataclass(frozen=True)
class Said:
    """An answer as it came: one line for each object of a stream."""

    status: int
    kind: str
    text: str
    broken: str = ""
    """How the connection ended, where it did not end well."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines() if line.strip()]

    @property
    def data(self) -> dict[str, Any]:
        [line] = self.lines
        return line

    @property
    def last(self) -> dict[str, Any]:
        return self.lines[-1]

    @property
    def error(self) -> str:
        """The text of the error, wherever it stands."""
        told = self.last.get("error", "") if self.text.strip() else ""
        return str(told.get("message", "")) if isinstance(told, dict) else str(told)

    def joined(self, part: str = "content") -> str:
        """The content, or the thought, of a whole chat or generation."""
        return "".join(
            (line.get("message") or {}).get(part) or (line.get("response", "") if part == "content" else "") for line in self.lines
        )

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return [(call["function"]["name"], call["function"]["arguments"]) for call in self.raw_calls]

    @property
    def raw_calls(self) -> list[dict[str, Any]]:
        return [call for line in self.lines for call in (line.get("message") or {}).get("tool_calls") or ()]


class Peer(Protocol):
    """A server of one line of Ollama, with the cast of the comparison on it."""

    url: str
    line: str
    """`0.13` or `0.34`: whose behaviour is expected."""

    def loads(self) -> object:
        """Another value whenever a model was loaded or let go."""
        ...

    def engines(self) -> int:
        """How many models are being held or loaded."""
        ...

    def crash(self, lines: int) -> Callable[[int], None]:
        """The engine of the next answer shall die after so many lines of it; what is returned is told each line's number."""
        ...

    async def crash_idle(self) -> bool:
        """Kills all engines while nobody is served; tells whether that can be done."""
        ...


class Talk:
    """What tests ask of a peer, over HTTP."""

    def __init__(self, peer: Peer, session: aiohttp.ClientSession) -> None:
        self.peer = peer
        self.line = peer.line
        self.url = peer.url
        self._session = session

    async def ask(
        self, path: str, body: Any = None, *, method: str = "", each: Callable[[int], None] | None = None, **headers: str
    ) -> Said:
        """Send one request and read the response. A body of bytes or text is sent as it is."""
        data = body if isinstance(body, bytes | str | None) else json.dumps(body)
        verb = method or ("GET" if body is None else "POST")
        text, broken = "", ""
        async with self._session.request(
            verb, self.url + path, data=data, headers={"Content-Type": "application/json", **headers}
        ) as response:
            try:
                count = 0
                async for line in response.content:
                    text += line.decode()
                    count += 1
                    if each:
                        each(count)
            except aiohttp.ClientError as error:
                broken = type(error).__name__
            return Said(response.status, response.headers.get("Content-Type", ""), text, broken)

    async def chat(
        self, model: str, said: str | Sequence[Mapping[str, Any]] = "go", each: Callable[[int], None] | None = None, **more: Any
    ) -> Said:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else list(said)
        return await self.ask("/api/chat", {"model": model, "messages": messages, **more}, each=each)

    async def load(self, model: str, **more: Any) -> Said:
        return await self.ask("/api/generate", {"model": model, **more})

    async def ps(self) -> dict[str, dict[str, Any]]:
        return {entry["name"].removesuffix(":latest"): entry for entry in (await self.ask("/api/ps")).data["models"] or ()}

    async def until(self, true: Callable[[], Any], seconds: float = GONE_SECONDS) -> bool:
        """Whether something becomes true in time; `true` may be a coroutine function."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return True
            await asyncio.sleep(0.02)
        return False

    async def until_held(self, *models: str) -> bool:
        async def held() -> bool:
            return set(await self.ps()) == set(models)

        return await self.until(held)

    async def empty(self) -> None:
        """No model is held, as after the start."""
        for model in await self.ps():
            await self.load(model, keep_alive=0)
        assert await self.until_held()
        assert await self.until(lambda: not self.peer.engines())

    @asynccontextmanager
    async def leaving(self, model: str, **more: Any) -> AsyncIterator[asyncio.Event]:
        """A chat whose client goes when the block ends; the event tells that its first line is here."""
        first = asyncio.Event()
        task = asyncio.create_task(self.chat(model, each=lambda _: first.set(), **more))
        try:
            yield first
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


# ---------------------------------------------------------------- rehearsed


@dataclass(eq=False)
class Rehearsed:
    """A rehearsal host with the profile of a line."""

    host: Host
    line: str

    @property
    def url(self) -> str:
        return self.host.url

    def loads(self) -> object:
        return self.host.loads, self.engines()

    def engines(self) -> int:
        return len(self.host.residency.loaded())

    def crash(self, lines: int) -> Callable[[int], None]:
        self.host.faults.add("error_line", path="*", chunks=lines, times=1)
        return lambda _: None

    async def crash_idle(self) -> bool:
        return False


@asynccontextmanager
async def rehearsed(line: str, **settings: Any) -> AsyncIterator[Rehearsed]:
    """In true time, with models as fast as the tiny real ones."""
    host = Host("live", CAST, time_scale=1.0, profile=line, **settings)
    async with serve(host):
        yield Rehearsed(host, line)


# ---------------------------------------------------------------- real


@dataclass(eq=False)
class Real:
    """A real server."""

    server: real.Server
    line: str

    @property
    def url(self) -> str:
        return self.server.url

    def loads(self) -> object:
        return frozenset(self.server.engines())

    def engines(self) -> int:
        return len(self.server.engines())

    def crash(self, lines: int) -> Callable[[int], None]:
        return lambda number: None if number != lines else (self.server.kill_engines() and None)

    async def crash_idle(self) -> bool:
        return self.server.kill_engines() > 0


@dataclass
class Reals:
    """The real servers of a test session: one with usual settings for each version, others by test, all with one store of models."""

    stores: Path
    _usual: dict[str, real.Server] = field(default_factory=dict)

    @staticmethod
    def binary(version: str) -> Path | None:
        return Path(OWN) if version == "installed" and OWN else real.built(f"v{version}", CACHE)

    def usual(self, version: str) -> real.Server:
        if version not in self._usual:
            self._usual[version] = self._start(version)
            made = self._usual[version]
            real.create(made.url, made.binary, sorted({model.name for model in CAST}))
        return self._usual[version]

    @asynccontextmanager
    async def opened(self, version: str, line: str, **settings: Any) -> AsyncIterator[Real]:
        server = self.usual(version)
        if not settings:
            yield Real(server, line)
            return
        names = {"max_loaded": "max_loaded_models", "parallel": "num_parallel", "max_queue": "max_queue"}
        own = self._start(version, **{names[name]: value for name, value in settings.items()})
        try:
            yield Real(own, line)
        finally:
            own.stop()

    def _start(self, version: str, **settings: Any) -> real.Server:
        binary = self.binary(version)
        assert binary is not None
        return real.start(binary, store=self.stores / version, **{"num_parallel": 1, **settings})

    def stop(self) -> None:
        for server in self._usual.values():
            server.stop()
