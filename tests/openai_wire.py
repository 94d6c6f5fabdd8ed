"""OpenAI-shaped answers as bytes, and a host under test that is opened on them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mmos.hosts.face import ChatRequest
from mmos.hosts.openai import OpenAIHost
from mmos.messages import Message
from tests.wire import LAST_CHUNK, Script, Step, WireServer, chunk, serving

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
HELLO = (Message("user", "hello"),)
TOOLS = b'[{"type":"function","function":{"name":"dig","parameters":{"type":"object"}}}]'


def asking(**fields: object) -> ChatRequest:
    return ChatRequest("m", HELLO, 4096, **fields)  # type: ignore[arg-type]


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def delta(content: str | None = None, *, finish: str | None = None, **more: Any) -> bytes:
    """An event of a chat that goes on."""
    told = {**({} if content is None else {"content": content}), **more}
    return event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": told, "finish_reason": finish}]})


def piece(index: int | None = 0, name: str | None = None, arguments: object = None, *, id: str | None = None) -> bytes:  # noqa: A002
    """An event with a part of one tool call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    told = {"index": index, "id": id, "type": "function", "function": function}
    return delta(tool_calls=[{key: value for key, value in told.items() if value is not None}])


def finished(reason: str = "stop", **usage: Any) -> bytes:
    """The end in good order."""
    counted = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, **usage}})
    return delta(finish=reason) + counted + DONE


def sent(*parts: bytes, end: bool = True) -> list[Step]:
    """A stream, each part a chunk and a write of its own."""
    return [EVENTS, *(chunk(part) for part in parts), *([LAST_CHUNK] if end else [])]


@asynccontextmanager
async def opened(*scripts: Script, **options: Any) -> AsyncIterator[tuple[OpenAIHost, WireServer]]:
    async with serving(*scripts) as wire:
        host = OpenAIHost("studio", wire.url, **options)
        try:
            yield host, wire
        finally:
            await host.close()
