"""Serves HTTP/1.1 on asyncio: it sends exact bytes, can hang, cut and refuse, and notices when a client leaves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Any

import orjson

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 256 * 1024 * 1024
BUFFER_LIMIT = BODY_LIMIT + 2 * HEAD_LIMIT
"""Bytes that a client may send ahead of the responses."""
HIGH_WATER = 1024 * 1024
REASONS: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}
JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
PLAIN = "text/plain"

Handler = Callable[["HttpRequest"], Awaitable[None]]


class HttpRequest:
    """One request, and the methods that send the response to it."""

    def __init__(self, connection: Connection, method: str, target: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = b""
        self.status = 0
        self.sent = 0
        """The number of bytes of the response's body."""
        self._connection = connection
        self._ready: list[bytes] = []

    @property
    def keep_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"

    def reply(self, status: int, body: bytes, content_type: str = JSON, **headers: str) -> None:
        """Send a whole response."""
        content = b"" if self.method == "HEAD" else body
        self._connection.write(self._head(status, content_type, {"Content-Length": str(len(body)), **headers}) + content)
        self.sent += len(content)

    def open(self, status: int = 200, content_type: str = NDJSON) -> None:
        """Start a response in chunks. Chunks that are ready at the same time are sent together."""
        self._ready.append(self._head(status, content_type, {"Transfer-Encoding": "chunked"}))

    def send(self, data: bytes) -> None:
        """Send one chunk."""
        self._ready.append(b"%x\r\n%b\r\n" % (len(data), data))
        self.sent += len(data)

    def flush(self) -> None:
        if self._ready:
            self._connection.write(b"".join(self._ready))
            self._ready.clear()

    def close(self) -> None:
        """End the chunks."""
        self._ready.append(b"0\r\n\r\n")
        self.flush()

    def cut(self) -> None:
        """Close the connection after the bytes sent so far."""
        self.flush()
        self._connection.hang_up()

    async def drain(self) -> None:
        """Let other tasks run, and wait for a client that reads slowly."""
        self.flush()
        await self._connection.drain()

    @cached_property
    def data(self) -> Any:
        """The body as JSON. None: it is not JSON."""
        try:
            return orjson.loads(self.body) if self.body else None
        except orjson.JSONDecodeError:
            return None

    def _head(self, status: int, content_type: str, headers: Mapping[str, str]) -> bytes:
        self.status = status
        fields = {"Content-Type": content_type, **headers} if content_type else dict(headers)
        if self._connection.leaving:
            fields["Connection"] = "close"
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n{lines}Date: {_date(int(time.time()))}\r\n\r\n".encode("latin-1")


class Connection(asyncio.Protocol):
    """The connection of one client. Its requests are served one after the other, and dropped when it leaves."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._request: HttpRequest | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._server.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > BUFFER_LIMIT:
            return self.hang_up()
        if self._task is None:
            self._next()
        return None

    @property
    def idle(self) -> bool:
        return self._task is None

    @property
    def leaving(self) -> bool:
        """Make this response the last on the connection."""
        return self._server.refuses

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def hang_up(self) -> None:
        self._transport.close()

    async def drain(self) -> None:
        await asyncio.sleep(0)
        await self._writable.wait()

    def stop(self) -> asyncio.Task[None] | None:
        """Drop the client now. Returns the task that still has to end."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    def _next(self) -> None:
        """Serve the next request when it is complete."""
        try:
            request = self._read()
        except ValueError:
            self.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request")
            return self.hang_up()
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._serve(request))
        return None

    async def _serve(self, request: HttpRequest) -> None:
        try:
            await self._server.handler(request)
        finally:
            self._task = None
        if not request.keep_alive or self.leaving:
            self.hang_up()
        elif self._buffer and not self._transport.is_closing():
            self._next()

    def _read(self) -> HttpRequest | None:
        request = self._request or self._read_head()
        self._request = request
        if request is None:
            return None
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            body, length = _unchunk(self._buffer)
        else:
            length = _size(request.headers.get("content-length") or "0", 10)
            body = bytes(self._buffer[:length]) if len(self._buffer) >= length else None
        if body is None:
            return None
        request.body = body
        del self._buffer[:length]
        self._request = None
        return request

    def _read_head(self) -> HttpRequest | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise ValueError("head too long")
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        method, target, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return HttpRequest(self, method, target, headers)


def _size(digits: str, base: int) -> int:
    """A number of bytes. `int` would also read a sign, a space and an underline."""
    if not digits.isascii() or not digits.isalnum() or (size := int(digits, base)) > BODY_LIMIT:
        raise ValueError("not a size")
    return size


def _unchunk(buffer: bytearray) -> tuple[bytes | None, int]:
    """The body in a chunked buffer, and the number of bytes that it took. None: it is not complete yet."""
    parts: list[bytes] = []
    place = 0
    while True:
        line = buffer.find(b"\r\n", place)
        if line < 0:
            return None, 0
        size = _size(bytes(buffer[place:line]).partition(b";")[0].decode("latin-1").strip(), 16)
        place = line + 2
        if len(buffer) < place + size + 2:
            return None, 0
        if size == 0:
            return b"".join(parts), place + 2
        parts.append(bytes(buffer[place : place + size]))
        place += size + 2


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class Server:
    """Listens on one address. It can stop and start again on the same port."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1", port: int = 0) -> None:
        self.handler = handler
        self.connections: set[Connection] = set()
        self._address = (host, port)
        self._listening: socket.socket | None = None
        self._greeting: set[asyncio.Task[None]] = set()
        """Accepted clients without a connection object yet."""
        self._holder: socket.socket | None = None

    @property
    def url(self) -> str:
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def refuses(self) -> bool:
        return self._listening is None

    def start(self) -> None:
        if self._address[1] == 0:
            # this socket is bound to the port and never listens, so the port stays reserved while the server refuses
            self._holder = _open_socket(self._address)
            self._address = (self._address[0], self._holder.getsockname()[1])
        self.listen()

    def listen(self) -> None:
        """Accept clients. A client that connects after this call gets through."""
        if self._listening is None:
            self._listening = _open_socket(self._address, shared=self._holder is not None)
            self._listening.listen(1024)
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    def refuse(self) -> None:
        """Stop listening and drop idle connections, so that clients are refused."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
        self._listening = None
        for connection in [connection for connection in self.connections if connection.idle]:
            connection.stop()

    async def stop(self) -> None:
        self.refuse()
        await asyncio.gather(*self._greeting)
        tasks = [task for task in (connection.stop() for connection in list(self.connections)) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._holder is not None:
            self._holder.close()

    def _accept(self, listening: socket.socket) -> None:
        """Accept all waiting clients at once, so that none is lost."""
        with contextlib.suppress(BlockingIOError, InterruptedError, ConnectionError):
            while True:
                client, _ = listening.accept()
                task = asyncio.get_running_loop().create_task(self._greet(client))
                self._greeting.add(task)
                task.add_done_callback(self._greeting.discard)

    async def _greet(self, client: socket.socket) -> None:
        client.setblocking(False)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(self), client)
        except OSError:
            client.close()


def _open_socket(address: tuple[str, int], *, shared: bool = True) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared and hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
