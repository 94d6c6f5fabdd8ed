"""A host of bytes: a TCP server that plays one script for each request, so that every fault of the wire is exact."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

CLOSE = "close"
"""Ends the connection in good order."""
ABORT = "abort"
"""Ends it by a reset."""
HANG = "hang"
"""Says nothing more until the client has gone."""

Step = bytes | asyncio.Event | str
Script = Sequence[Step]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WireServer:
    """Plays the scripts in order, whichever connection asks; `left` is set when a client goes before its script ends."""

    scripts: list[Script]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _request(reader)) is not None:
                self.requests.append(request)
                self.asked.set()
                if not await self._play(self.scripts.pop(0), reader, writer):
                    break
        except ConnectionError:
            self.left.set()
        finally:
            writer.close()

    async def _play(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for step in script:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, asyncio.Event):
                await step.wait()
            elif step == HANG:
                await reader.read(1)
                self.left.set()
                return False
            else:
                if step == ABORT:
                    _reset(writer)
                return False
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode().strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


@asynccontextmanager
async def serving(*scripts: Script) -> AsyncIterator[WireServer]:
    wire = WireServer(list(scripts))
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await wire.talk(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            talks.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    wire.url = f"http://{host}:{port}"
    try:
        yield wire
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks)
        await server.wait_closed()


def line(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "created_at": "2026-11-20T21:11:30.412367101Z", **fields}).encode() + b"\n"


def said(content: str = "", *, done: bool = False, **message: Any) -> bytes:
    """A line of a chat that goes on."""
    return line(message={"role": "assistant", "content": content, **message}, done=done)


def done(content: str = "", *, reason: str = "stop", message: dict[str, Any] | None = None, **numbers: Any) -> bytes:
    """The line that makes an answer of what came before."""
    return line(message={"role": "assistant", "content": content, **(message or {})}, done=True, done_reason=reason, **numbers)


def call(name: str, arguments: Any, **fields: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **fields}


NDJSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(*lines: bytes) -> list[Step]:
    """A whole answer, each line a chunk and a write of its own."""
    return [NDJSON, *(chunk(data) for data in lines), LAST_CHUNK]


def answer(body: Any, status: int = 200, *, kind: str = "application/json; charset=utf-8", **headers: str) -> list[Step]:
    """A whole answer of one piece; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    type_line = f"Content-Type: {kind}\r\n" if kind else ""
    return [f"HTTP/1.1 {status} X\r\n{type_line}Content-Length: {len(data)}\r\n{extra}\r\n".encode() + data]
