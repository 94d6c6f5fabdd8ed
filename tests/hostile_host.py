"""A hostile host: a server of bytes that answers as a good host does, but for one attack.

`hostile_attacks.ATTACKS` names them all, each with the path that it spoils. `Hostile` serves one at a time; `in_thread` does so beside
a test that blocks, such as one that calls a command in its own process.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

MODEL = "general:7b"
SAID = "All is well."
_PIECE = 1 << 16


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    """Without its query and without what stands before `/api` or `/v1`."""
    line: str
    head: str
    body: bytes


Send = Callable[[Asked], Iterable[bytes]]


@dataclass(frozen=True)
class Attack:
    name: str
    path: str
    """What it spoils; empty: every path."""
    send: Send

    def __str__(self) -> str:
        return f"{self.path or 'all'}:{self.name}"


# ---------------------------------------------------------------- what a good host says

MESSAGE = {"role": "assistant", "content": SAID}
NUMBERS = {
    "total_duration": 900_000_000, "load_duration": 100, "prompt_eval_count": 12, "prompt_eval_duration": 400_000_000, "eval_count": 4,
    "eval_duration": 400_000_000,
}  # fmt: skip
DETAILS = {"family": "qwen2", "parameter_size": "7.6B", "quantization_level": "Q4_K_M", "context_length": 32768}
INFO = {
    "general.architecture": "qwen2", "qwen2.context_length": 32768, "qwen2.block_count": 28, "qwen2.attention.head_count": 28,
    "qwen2.attention.head_count_kv": [4, 4], "qwen2.embedding_length": 3584,
}  # fmt: skip
CALL = {"id": "call_abc", "function": {"index": 0, "name": "look", "arguments": {"where": "there"}}}
DELTA = {"role": "assistant", "content": SAID, "reasoning_content": "Hm."}
PIECE = {"index": 0, "id": "call_abc", "type": "function", "function": {"name": "look", "arguments": '{"where": "there"}'}}

GOOD: dict[str, list[Any]] = {
    "/api/version": [{"version": "0.40.3"}],
    "/api/tags": [{"models": [{"name": MODEL, "model": MODEL, "size": 4 << 30, "digest": "845d", "details": DETAILS, "capabilities": ["completion", "tools"]}]}],
    "/api/ps": [{"models": [{"name": MODEL, "size": 5 << 30, "size_vram": 5 << 30, "digest": "845d", "context_length": 8192, "expires_at": "2026-11-20T21:11:30.412367101+01:00"}]}],
    "/api/show": [{"details": DETAILS, "model_info": INFO, "capabilities": ["completion", "tools"], "template": "{{ .Prompt }}"}],
    "/api/chat": [
        {"model": MODEL, "created_at": "2026-11-20T21:11:30Z", "message": MESSAGE, "done": False},
        {"model": MODEL, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", **NUMBERS},
    ],
    "/api/generate": [{"model": MODEL, "response": "", "done": True, "done_reason": "unload"}],
    "/api/embed": [{"model": MODEL, "embeddings": [[0.5, -0.25, 1.0]]}],
    "/api/pull": [
        {"status": "pulling manifest"},
        {"status": "pulling 845d", "digest": "sha256:845d", "total": 100, "completed": 50},
        {"status": "success"},
    ],
    "/v1/models": [{"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx": 8192, "n_ctx_train": 32768, "size": 5}, "capabilities": ["tool_use"], "max_model_len": 8192}]}],
    "/props": [{"default_generation_settings": {"n_ctx": 8192}, "chat_template": "{% if tools %}", "chat_template_caps": {"supports_tools": True}, "modalities": {"vision": True}}],
    "/v1/embeddings": [{"data": [{"index": 0, "embedding": [0.5, -0.25, 1.0]}]}],
    "/v1/chat/completions": [
        {"choices": [{"index": 0, "delta": DELTA, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}, "timings": {"prompt_ms": 400.0, "predicted_ms": 400.0, "predicted_n": 4, "cache_n": 8}},
    ],
}  # fmt: skip
"""The lines of each answer."""

CALLING: dict[str, list[Any]] = {
    "/api/chat": [{"model": MODEL, "message": {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [CALL]}, "done": True, "done_reason": "stop", **NUMBERS}],
    "/v1/chat/completions": [{"choices": [{"index": 0, "delta": {"tool_calls": [PIECE]}, "finish_reason": "tool_calls"}]}],
}  # fmt: skip
"""The same with a call of a tool."""


def raw(lines: Iterable[bytes], path: str) -> bytes:
    """An answer of these lines, framed as its path wants it."""
    if path.startswith("/v1/chat"):
        return whole(b"".join(b"data: %s\n\n" % line for line in lines) + b"data: [DONE]\n\n", "text/event-stream")
    return whole(b"\n".join(lines) + b"\n", "application/x-ndjson" if path in ("/api/chat", "/api/pull") else "application/json")


def whole(body: bytes, kind: str = "application/json", status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode("latin-1") + body


def good(path: str) -> bytes:
    if path not in GOOD:
        return whole(b'{"error": "not found"}', status="404 Not Found")
    return raw([json.dumps(line).encode() for line in GOOD[path]], path)


# ---------------------------------------------------------------- what knows a key, and tells it

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "as JSON": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "as JSON, signs": lambda key: "".join(f"\\u{ord(sign):04x}" for sign in key),
    "as an address": lambda key: quote(key, safe=""),
    "as an address, signs": lambda key: "".join(f"%{ord(sign):02X}" for sign in key),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64, inside": lambda key: base64.b64encode(f"x{key}y".encode()).decode(),
    "in hex": lambda key: key.encode().hex(),
    "as capitals": str.upper,
    "as a page": lambda key: "".join(f"&#{ord(sign)};" for sign in key),
}


def telling(texts: Iterable[str], one: str, path: str, status: str = "200 OK") -> bytes:
    """An answer that has these texts wherever an answer can have a text, and one of them in its headers, which hold less.

    They stand in the JSON as they are, so that what is escaped in them is decoded once."""
    told = " ".join(texts)
    if status[0] == "3":
        return f"HTTP/1.1 {status}\r\nLocation: http://{one}/{one}\r\nContent-Length: 0\r\n\r\n".encode("latin-1", "replace")
    if status[0] != "2":
        return whole(f'{{"error": "I know {told}"}}'.encode(), status=status, more=f"Set-Cookie: a={one}\r\nX: {one}\r\n")
    spoken = [json.dumps(line).encode() for line in (CALLING if path in CALLING else GOOD).get(path, [{}])]
    return raw([_everywhere(line, told) for line in spoken], path)


def _everywhere(line: bytes, told: str) -> bytes:
    for text in (b"Hm.", b"0.40.3", b"qwen2", b"845d", b"stop", b"there", b"pulling", b"All is well.", b"{{ .Prompt }}"):
        line = line.replace(b'"%s"' % text, b'"%s %s"' % (text, told.encode()))
    return line.replace(b'"content": ""', b'"content": "%s"' % told.encode())


# ---------------------------------------------------------------- the server


@dataclass
class Hostile:
    """Serves an attack; everything else as a good host does."""

    attack: Attack | None = None
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0
    """Bytes that went out."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                if await self._answer(asked, writer):
                    break
        writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """True where the connection ends with the answer."""
        attack = self.attack
        spoils = attack is not None and attack.path in ("", asked.path)
        for data in attack.send(asked) if attack and spoils else [good(asked.path)]:
            writer.write(data)
            self.sent += len(data)
            await writer.drain()
            await asyncio.sleep(0)
        return spoils


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, _, rest = head.partition("\r\n")
    method, target, _ = line.split(" ")
    length = next((int(one.partition(":")[2]) for one in rest.split("\r\n") if one.lower().startswith("content-length:")), 0)
    path = target.partition("?")[0]
    start = min((at for mark in ("/api/", "/v1/", "/props") if (at := path.find(mark)) >= 0), default=0)
    return Asked(method, path[start:], line, rest, await reader.readexactly(length))


@asynccontextmanager
async def hostile(attack: Attack | None = None) -> AsyncIterator[Hostile]:
    host, talks = Hostile(attack), set[asyncio.Task[None]]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(asyncio.CancelledError):
            await host.talk(reader, writer)
        writer.transport.abort() if task.cancelling() else None
        talks.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    address, port = server.sockets[0].getsockname()
    host.url = f"http://{address}:{port}"
    try:
        yield host
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@contextmanager
def in_thread(*attacks: Attack | None) -> Iterator[list[Hostile]]:
    """Hosts in a thread of their own, one for each attack; None is a good one."""
    ready, hosts, stop = threading.Event(), list[Hostile](), list[Callable[[], object]]()

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with _all([hostile(attack) for attack in attacks]) as served:
            hosts.extend(served)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield hosts
    finally:
        stop[0]()
        thread.join(10)


@asynccontextmanager
async def _all(managers: Iterable[Any]) -> AsyncIterator[list[Hostile]]:
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(manager) for manager in managers]
