"""Hosts that lie: fields of other types, lists without end, and refusals of questions that concern no model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mmos.errors import HostError, ProtocolFault
from mmos.hosts.face import Card, Installed, Loaded
from mmos.hosts.ollama import OllamaHost
from tests.wire import CLOSE, HANG, Script, answer, serving


@asynccontextmanager
async def opened(*scripts: Script) -> AsyncIterator[OllamaHost]:
    async with serving(*scripts) as wire:
        host = OllamaHost("box", wire.url)
        try:
            yield host
        finally:
            await host.close()


async def test_fields_of_another_type_are_as_good_as_none() -> None:
    """A host that lies must not end the command that asks it."""
    tags = [
        {"name": 5, "size": "big"},
        {"name": None},
        {"name": "m:7b", "size": -1, "digest": 7, "details": "x", "capabilities": ["tools", None]},
    ]
    held = [{"name": "m:7b", "size": None, "size_vram": "x", "context_length": "y", "expires_at": 5}]
    shown = {"details": 3, "model_info": {"general.architecture": "q", "q.context_length": "long"}, "capabilities": "all", "template": 5}
    async with opened(answer({"models": tags}), answer({"models": held}), answer(shown)) as host:
        assert await host.tags() == [Installed("m:7b", capabilities=frozenset({"tools"}))]
        assert await host.ps() == [Loaded("m:7b")]
        card = await host.show("m:7b")
    assert card == Card("m:7b", details={"general.architecture": "q", "q.context_length": "long"})


async def test_an_endless_list_is_not_kept_in_memory() -> None:
    async with opened([b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", b" " * (17 << 20), HANG]) as host:
        with pytest.raises(ProtocolFault, match="16 MiB"):
            await host.tags()


@pytest.mark.parametrize("script", [[CLOSE], answer({"error": "no"}, 500), answer({"error": "no"}, 400)])
async def test_a_question_about_the_host_names_no_model(script: Script) -> None:
    async with opened(script) as host:
        with pytest.raises(HostError) as caught:
            await host.tags()
    assert "model" not in caught.value.message
    assert "box" in caught.value.message
