"""Serves a scripted model in its own process: it checks the bytes of a request and sends replies that are already encoded."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

SPECIALISTS = ("coding", "reasoning", "analysis", "research", "writing")
ARBITER, DIRECT, STAMPED = "arbiter:14b", "direct:14b", "stamped:14b"
"""The models: an arbiter that consults all specialists once, one that answers by itself, and one that sends the time of its start."""

WORDS = (
    "The build fails because ", "the lock names a version ", "that the index no longer ", "serves. Two things follow: ",
    "the resolver falls back to ", "an older wheel, and that ", "wheel was made for another ", "interpreter. Pin the newer ",
    "release, write the lock ", "anew, and run the tests ", "once in a clean folder. If ", "they pass, the cache was ",
    "the only culprit; if they ", "do not, look at the linker ", "flags next, since they come ", "from the environment and ",
    "differ between the machine ", "of the build and the one ", "on which you develop. That ", "is all there is to it.",
)  # fmt: skip
ANSWER = "".join(WORDS)
PAUSE = 0.002
"""Seconds between the first piece of a stamped answer and the rest."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nDate: Fri, 21 Nov 2025 12:00:00 GMT\r\n"
_STREAM = _HEAD % b"application/x-ndjson" + b"Transfer-Encoding: chunked\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": ?"([^"]+)"')
_ROLE = re.compile(rb'"role": ?"(\w+)"')
_DONE = (
    b'{"model":"%b","created_at":"2025-11-21T12:00:00.412367101Z","message":{"role":"assistant","content":""},"done":true,'
    b'"done_reason":"stop","total_duration":54437004,"load_duration":9182721,"prompt_eval_count":%d,"prompt_eval_duration":1500000,'
    b'"eval_count":%d,"eval_duration":30000000}\n'
)


def tool_of(specialist: str) -> str:
    return f"consult_{specialist}_specialist"


def _chunk(line: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(line), line)


def _line(model: str, message: dict[str, Any]) -> bytes:
    line = {"model": model, "created_at": "2025-11-21T12:00:00.412367101Z", "message": {"role": "assistant", **message}, "done": False}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _pieces(model: str) -> list[bytes]:
    return [_chunk(_line(model, {"content": word})) for word in WORDS]


def _consultations(model: str) -> bytes:
    calls = [
        {
            "id": f"call_{place:08d}",
            "function": {"index": place, "name": tool_of(name), "arguments": {"query": f"What does {name} say of it?"}},
        }
        for place, name in enumerate(SPECIALISTS)
    ]
    return _chunk(_line(model, {"content": "", "tool_calls": calls}))


def _whole(body: bytes) -> bytes:
    return _HEAD % b"application/json; charset=utf-8" + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _tags() -> bytes:
    models = [
        {"name": name, "model": name, "modified_at": "2025-11-21T12:00:00Z", "size": 1, "digest": "0" * 64, "details": {"family": "scripted"},
         "capabilities": ["completion", "tools"]}
        for name in (ARBITER, DIRECT, STAMPED, *(f"{specialist}:7b" for specialist in SPECIALISTS))
    ]  # fmt: skip
    return _whole(json.dumps({"models": models}).encode())


@dataclass
class Script:
    """The scripted replies, and how often each was requested."""

    drip: bool
    """Whether to send each line in its own write, as a real model does, and not all at once."""
    chats: Counter[str] = field(default_factory=Counter)
    received: int = 0
    others: int = 0
    tags: bytes = field(default_factory=_tags)
    calls: bytes = field(default_factory=lambda: _consultations(ARBITER))
    texts: dict[bytes, list[bytes]] = field(default_factory=dict)

    def reply(self, model: bytes, role: bytes) -> list[bytes]:
        if model == ARBITER.encode() and role == b"user":
            return [self.calls]
        if model not in self.texts:
            pieces = _pieces(model.decode())
            self.texts[model] = pieces if self.drip or model == STAMPED.encode() else [b"".join(pieces)]
        return self.texts[model]

    def stats(self) -> bytes:
        figures = {"chats": self.chats, "received": self.received, "others": self.others, "cpu": time.process_time()}
        return _whole(json.dumps(figures).encode())


class Connection(asyncio.Protocol):
    """One client's connection, kept alive."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._held = bytearray()
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        if len(self._held) < self._needed:
            return
        end = self._held.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = _LENGTH.search(self._held, 0, end)
        self._needed = end + (int(length[1]) if length else 0)
        if len(self._held) >= self._needed:
            request, self._held, self._needed = self._held, bytearray(), 0
            self._answer(request, end)

    def _answer(self, request: bytearray, end: int) -> None:
        script = self._script
        if request.startswith(b"POST /api/chat"):
            self._chat(request, end)
        elif request.startswith(b"GET /stats"):
            self._transport.write(script.stats())
        elif request.startswith(b"GET /api/tags"):
            script.others += 1
            self._transport.write(script.tags)
        else:
            script.others += 1
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\r\n404 page not found")

    def _chat(self, request: bytearray, end: int) -> None:
        script = self._script
        model = _MODEL.search(request, end)
        role = _ROLE.match(request, max(request.rfind(b'"role":"'), request.rfind(b'"role": "')))  # a tool may have an argument "role"
        assert model is not None
        assert role is not None
        name = model[1]
        script.chats[name.decode()] += 1
        script.received += len(request)
        last = _chunk(_DONE % (name, (len(request) - end) // 4, len(ANSWER) // 4)) + b"0\r\n\r\n"
        pieces = [*script.reply(name, role[1]), last]
        if name == STAMPED.encode():
            self._stamped(pieces)
        elif script.drip:
            self._drip(_STREAM + pieces[0], pieces[1:])
        else:
            self._transport.write(b"".join([_STREAM, *pieces]))

    def _drip(self, piece: bytes, pieces: list[bytes]) -> None:
        self._transport.write(piece)
        if pieces:
            asyncio.get_running_loop().call_soon(self._drip, pieces[0], pieces[1:])

    def _stamped(self, pieces: list[bytes]) -> None:
        asyncio.get_running_loop().call_later(PAUSE, self._transport.write, b"".join(pieces[1:]))
        stamp = _chunk(_line(STAMPED, {"content": f"{time.perf_counter_ns()} "}))
        self._transport.write(_STREAM + stamp)


async def _serve(*, drip: bool) -> None:
    script, over, loop = Script(drip), asyncio.Event(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(script), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(sys.stdin.fileno(), over.set)  # nothing is ever said there: it ends when the parent does
    await over.wait()


# ---------------------------------------------------------------- from the other side


@dataclass(frozen=True)
class Count:
    """What the server was asked between two looks, and what that cost it."""

    chats: int
    received: int
    others: int
    cpu: float


class ScriptedServer:
    """The running server as the benchmark sees it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._connection = HTTPConnection("127.0.0.1", port)
        self._looks: list[Count] = [self._look()]

    def count(self) -> Count:
        """Since the last time."""
        self._looks = [self._looks[-1], self._look()]
        ((before, now),) = pairwise(self._looks)
        return Count(now.chats - before.chats, now.received - before.received, now.others - before.others, now.cpu - before.cpu)

    def close(self) -> None:
        self._connection.close()

    def _look(self) -> Count:
        self._connection.request("GET", "/stats")
        figures = json.loads(self._connection.getresponse().read())
        return Count(sum(figures["chats"].values()), figures["received"], figures["others"], figures["cpu"])


@contextmanager
def scripted_server(*, drip: bool = False) -> Iterator[ScriptedServer]:
    command = [sys.executable, str(Path(__file__)), *(["--drip"] if drip else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        server = ScriptedServer(int(process.stdout.readline()))
        try:
            yield server
        finally:
            server.close()
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    gc.disable()
    asyncio.run(_serve(drip="--drip" in sys.argv))
