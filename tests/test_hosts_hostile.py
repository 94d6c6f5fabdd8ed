"""Clients against a hostile host: whatever it sends, they give our types or a typed fault, soon and in little memory."""

from __future__ import annotations

import asyncio
import dataclasses
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import orjson
import pytest

from mmos.doctor.hosts import skew
from mmos.errors import HostError, HostTimeout, ProtocolFault, StreamCut
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.hosts.openai import OpenAIHost
from mmos.messages import Message
from tests.hostile_attacks import ATTACKS, BOMBS, FLOODS, HEADS, REFUSALS, STRANGE, WAITS, lies
from tests.hostile_host import GOOD, MODEL, SAID, Attack, Hostile, good, hostile, raw

PATIENCE = Timeouts(connect=5, load=5, first_byte=5, between_chunks=5, total=20)
SHORT = Timeouts(connect=5, load=1, first_byte=1, between_chunks=1, total=20)
ASK = ChatRequest(MODEL, (Message("user", "How is it?"),), 4096)
Client = OllamaHost | OpenAIHost


async def pulled(host: Client) -> list[Any]:
    async with aclosing(cast(Any, host.pull(MODEL))) as steps:
        return [step async for step in steps]


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "/api/version": lambda host: host.version(),
    "/api/tags": lambda host: host.tags(),
    "/api/ps": lambda host: host.ps(),
    "/api/show": lambda host: host.show(MODEL),
    "/api/chat": lambda host: host.chat(ASK, timeouts=PATIENCE),
    "/api/generate": lambda host: host.unload(MODEL),
    "/api/embed": lambda host: host.embed(MODEL, ["a text"], timeouts=PATIENCE),
    "/api/pull": pulled,
    "/v1/models": lambda host: host.tags(),
    "/props": lambda host: host.tags(),
    "/v1/embeddings": lambda host: host.embed(MODEL, ["a text"], timeouts=PATIENCE),
    "/v1/chat/completions": lambda host: host.chat(ASK, timeouts=PATIENCE),
}


@asynccontextmanager
async def client(path: str, attack: Attack | None = None) -> AsyncIterator[tuple[Client, Hostile]]:
    async with hostile(attack) as server:
        host: Client = OllamaHost("liar", server.url) if path.startswith("/api") else OpenAIHost("liar", f"{server.url}/v1")
        try:
            yield host, server
        finally:
            await host.close()


async def told(host: Client, path: str) -> Any:
    """What comes of a call, if it is fit to be written down; a fault must say who and what, in few words."""
    try:
        async with asyncio.timeout(100):
            came = await WAYS[path](host)
    except HostError as fault:
        return checked(fault)
    plain = [dataclasses.asdict(one) if dataclasses.is_dataclass(one) else one for one in (came if isinstance(came, list) else [came])]  # type: ignore[arg-type]
    orjson.dumps(plain, default=sorted)
    return came


def checked(fault: HostError) -> HostError:
    parts = [fault.message, fault.next_step, fault.partial, fault.code, getattr(fault, "raw", ""), getattr(fault, "retry_after", 0)]
    orjson.dumps(parts)
    assert "liar" in str(fault)
    assert len(fault.message) < 600
    return fault


@pytest.mark.parametrize("path", GOOD)
async def test_a_good_answer_is_understood(path: str) -> None:
    async with client(path) as (host, _):
        if path != "/api/generate":  # whose model stays loaded here
            assert not isinstance(await told(host, path), HostError)


@pytest.mark.parametrize("path", [path for path in GOOD if path != "/api/generate"])
async def test_no_value_of_any_field_does_harm(path: str) -> None:
    async with client(path) as (host, server):
        for name, data in lies(path):
            server.attack = Attack(name, path, lambda _asked, data=data: [data])  # type: ignore[misc]
            try:
                await told(host, path)
            except Exception as error:
                error.add_note(name)
                raise


@pytest.mark.parametrize("path", ["/api/tags", "/api/chat", "/api/pull", "/v1/chat/completions"])
async def test_no_answer_that_is_not_http_or_no_refusal_does_harm(path: str) -> None:
    async with client(path) as (host, server):
        for name, data in {**HEADS, **REFUSALS, **WAITS}.items():
            server.attack = Attack(name, path, lambda _asked, data=data: [data])  # type: ignore[misc]
            try:
                assert isinstance(await told(host, path), HostError) or "length" in name or "trailers" in name or "continue" in name, name
            except Exception as error:
                error.add_note(name)
                raise


UNREAD = ("endless continues", "an endless chunk line")
"""What never becomes an answer: it is thrown away as it comes, until patience ends."""


@pytest.mark.parametrize("path", ["/api/tags", "/api/pull", "/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("name", [name for name in FLOODS if name not in UNREAD])
async def test_no_flood_fills_the_memory(path: str, name: str) -> None:
    async with client(path, Attack(name, path, FLOODS[name])) as (host, server):
        assert isinstance(await told(host, path), HostError)
        assert server.sent < 100 << 20


@pytest.mark.parametrize("name", UNREAD)
async def test_what_is_thrown_away_as_it_comes_ends_with_patience(name: str) -> None:
    async with client("/api/chat", Attack(name, "/api/chat", FLOODS[name])) as (host, _):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(HostTimeout):
            await host.chat(ASK, timeouts=SHORT)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # kB


@pytest.mark.parametrize("path", ["/api/tags", "/api/chat", "/api/pull", "/v1/chat/completions"])
@pytest.mark.parametrize("name", BOMBS)
async def test_what_is_compressed_is_refused_unread(path: str, name: str) -> None:
    async with client(path, Attack(name, path, BOMBS[name])) as (host, _):
        fault = await told(host, path)
        assert isinstance(fault, ProtocolFault)
        assert "compressed" in fault.message


@pytest.mark.parametrize("path", ["/api/chat", "/api/tags", "/api/pull", "/v1/chat/completions"])
async def test_an_answer_cut_at_any_byte_is_a_fault_or_whole(path: str) -> None:
    answer = raw([orjson.dumps(line) for line in GOOD[path]], path)
    async with client(path) as (host, server):
        for end in range(0, len(answer), 3):
            server.attack = Attack(f"{end}", path, lambda _asked, end=end: [answer[:end]])  # type: ignore[misc]
            came = await told(host, path)
            is_whole = end > len(answer) - 3 or (path.startswith("/v1") and b'"stop"' in answer[:end])
            assert isinstance(came, HostError) or is_whole, answer[:end]


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.path in WAYS])
async def test_every_attack_of_the_table_ends_well(name: str) -> None:
    attack = ATTACKS[name]
    async with client(attack.path, attack) as (host, _):
        came = await told(host, attack.path)
    if attack.path == "/api/chat":
        assert came.text == SAID
        assert 0 <= came.usage.prompt_tokens < 2**32
        assert came.usage.total_seconds < 1e8
        assert came.done_reason in ("stop", "other")


@pytest.mark.parametrize("attack", STRANGE, ids=str)
async def test_no_strange_answer_of_a_chat_does_harm(attack: Attack) -> None:
    async with client(attack.path, attack) as (host, _):
        await told(host, attack.path)


async def test_no_clock_of_a_host_ends_the_doctor() -> None:
    for date in ("Fri, 31 Dec 99999999999 23:59:59 GMT", "x", "Fri, 31 Dec 9999 23:59:59 -9999", "Mon, 01 Jan 0001 00:00:00 +2359"):
        answer = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode()
        async with hostile(Attack("date", "", lambda _asked, answer=answer: [answer])) as server:  # type: ignore[misc]
            assert isinstance(await skew(server.url, 2.0), float | None)


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
async def test_a_connection_that_was_closed_without_a_word_is_replaced(path: str) -> None:
    async with client(path, Attack("closes", "", lambda asked: [good(asked.path)])) as (host, _):
        for _ in range(3):
            assert (await WAYS[path](host)).text == SAID
            await host.version()


async def test_a_host_that_closes_every_connection_is_asked_once_more() -> None:
    async with client("/api/chat", Attack("nothing", "/api/chat", lambda _asked: [b""])) as (host, server):
        await host.version()
        assert isinstance(await told(host, "/api/chat"), StreamCut)
        assert [one.path for one in server.asked].count("/api/chat") == 2
