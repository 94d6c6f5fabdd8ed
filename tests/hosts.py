"""A host under test, opened on a server of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mmos.hosts.face import ChatRequest
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message
from tests.wire import Script, WireServer, serving

HELLO = (Message("user", "hello"),)


def asking(**fields: object) -> ChatRequest:
    return ChatRequest("m", HELLO, 4096, **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(*scripts: Script, **options: object) -> AsyncIterator[tuple[OllamaHost, WireServer]]:
    async with serving(*scripts) as wire:
        host = OllamaHost("box", wire.url, **options)  # type: ignore[arg-type]
        try:
            yield host, wire
        finally:
            await host.close()


def acquired(host: OllamaHost) -> int:
    """Connections that are out of the pool: none may be, once a call is over."""
    session = host._wire._session
    assert session is not None
    assert session.connector is not None
    return len(session.connector._acquired)
