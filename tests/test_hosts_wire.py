"""Every fault of the wire in a chat: cuts, garbage, silence, cancellation; what is told and what is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mmos.errors import HostBusy, HostError, HostTimeout, HostUnreachable, ProtocolFault, StreamCut
from mmos.hosts.face import Timeouts
from mmos.hosts.ollama import OllamaHost
from tests.hosts import acquired, asking, opened
from tests.wire import ABORT, CLOSE, HANG, LAST_CHUNK, NDJSON, Script, answer, chunk, done, said, serving, stream

SOON = 0.08


# ---------------------------------------------------------------- faults of the wire


@pytest.mark.parametrize(
    "script",
    [
        [NDJSON, chunk(said("so ")), chunk(said("far")), LAST_CHUNK],
        [NDJSON, chunk(said("so ")), chunk(said("far")), CLOSE],
        [NDJSON, chunk(said("so ")), chunk(said("far")), chunk(b'{"model":"m","message":{"cont'), LAST_CHUNK],
        [NDJSON, chunk(said("so ")), chunk(said("far")), b"200\r\n{", CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n", said("so "), said("far"), CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 9999\r\n\r\n", said("so "), said("far"), CLOSE],
        answer(said("so far").rstrip()),
    ],
    ids=["clean end", "closed", "half a line", "half a chunk", "unlimited body", "short body", "done false"],
)
async def test_an_answer_without_its_end_is_cut_and_what_had_come_is_kept(script: Script) -> None:
    async with opened(script) as (host, _):
        with pytest.raises(StreamCut) as caught:
            await host.chat(asking(), timeouts=Timeouts())
        assert acquired(host) == 0
    assert caught.value.partial == "so far"
    assert (caught.value.host, caught.value.model, caught.value.retry) == ("box", "m", True)


async def test_a_reset_in_the_middle_is_a_cut() -> None:
    heard = asyncio.Event()
    async with opened([NDJSON, chunk(said("so far")), heard, ABORT]) as (host, _):
        with pytest.raises(StreamCut) as caught:
            await host.chat(asking(), timeouts=Timeouts(), on_token=lambda _: heard.set())
        assert acquired(host) == 0
    assert caught.value.partial == "so far"


@pytest.mark.parametrize("script", [[CLOSE], [ABORT], [b"HTTP/1.1 200", CLOSE]], ids=["closed", "reset", "half a head"])
async def test_an_end_before_the_answer_is_a_cut(script: Script) -> None:
    async with opened(script) as (host, _):
        with pytest.raises(StreamCut) as caught:
            await host.chat(asking(), timeouts=Timeouts())
        assert acquired(host) == 0
    assert caught.value.partial == ""


@pytest.mark.parametrize(
    "script",
    [
        [b"\x16\x03\x01 garbage\r\n\r\n", CLOSE],
        [b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE],
        stream(b"garbage\n"),
        stream(said("a"), b"\xff\xfe\n"),
        stream(b'{"status":"ok"}\n'),
        answer(b"<html>welcome</html>", kind="text/html"),
        answer(said("a") + done(), kind="text/plain"),
        answer(b"data: {}\n\n", kind="text/event-stream"),
        answer({"object": "list", "data": []}),
        answer(done("a"), Content_Encoding="gzip", kind="application/gzip"),
    ],
    ids=["TLS", "ssh", "garbage", "garbage later", "other JSON", "page", "plain text", "events", "other API", "packed"],
)
async def test_what_is_no_ollama_is_not_understood(script: Script) -> None:
    async with opened(script) as (host, _):
        with pytest.raises(ProtocolFault) as caught:
            await host.chat(asking(), timeouts=Timeouts())
        assert acquired(host) == 0
    assert "welcome" not in str(caught.value)
    assert host.url in str(caught.value)


async def test_a_redirect_is_not_followed() -> None:
    async with serving(stream(done("elsewhere"))) as other:
        moved = answer(b"", 307, Location=f"{other.url}/api/chat?key=s3cret")
        async with opened(moved) as (host, _):
            with pytest.raises(ProtocolFault, match="follows nobody") as caught:
                await host.chat(asking(), timeouts=Timeouts())
    assert not other.requests
    assert "s3cret" not in str(caught.value)


async def test_a_line_without_end_is_given_up() -> None:
    piece = b"x" * (1 << 20)
    async with opened([NDJSON, *[chunk(piece)] * 9, HANG]) as (host, wire):
        with pytest.raises(ProtocolFault, match="8 MiB"):
            await host.chat(asking(), timeouts=Timeouts())
        await wire.left.wait()


async def test_a_refusal_that_breaks_off_still_counts() -> None:
    broken = b"HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"
    async with opened([broken, CLOSE]) as (host, _):
        with pytest.raises(HostBusy):
            await host.chat(asking(), timeouts=Timeouts())


async def test_an_endless_refusal_is_not_read_to_the_end() -> None:
    endless = b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"y" * (128 << 10))
    async with opened([endless, HANG]) as (host, wire):
        with pytest.raises(HostError, match="yyy"):
            await host.chat(asking(), timeouts=Timeouts())
        await wire.left.wait()


async def test_nothing_listens_there() -> None:
    async with serving() as wire:
        url = wire.url
    host = OllamaHost("box", url)
    with pytest.raises(HostUnreachable) as caught:
        await host.chat(asking(), timeouts=Timeouts())
    await host.close()
    assert url in str(caught.value)
    assert "ollama serve" in str(caught.value)


@pytest.mark.parametrize("url", ["http://nowhere.invalid:11434", "http://256.1.1.1:11434"])
async def test_a_name_that_nobody_knows(url: str) -> None:
    host = OllamaHost("box", url)
    with pytest.raises(HostUnreachable, match="not known to this machine"):
        await host.chat(asking(), timeouts=Timeouts(connect=30.0))
    await host.close()


async def test_no_tls_there() -> None:
    async with serving_tls_with(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (url, _):
        host = OllamaHost("box", url)
        with pytest.raises(HostUnreachable, match="No secure connection"):
            await host.chat(asking(), timeouts=Timeouts())
        await host.close()


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("script", "timeouts", "cold", "stage", "partial"),
    [
        ([HANG], Timeouts(first_byte=SOON), False, "first_byte", ""),
        ([HANG], Timeouts(first_byte=SOON / 2, load=SOON / 2), True, "first_byte", ""),
        ([NDJSON, HANG], Timeouts(between_chunks=SOON), False, "between_chunks", ""),
        ([NDJSON, chunk(said("so far")), HANG], Timeouts(between_chunks=SOON), False, "between_chunks", "so far"),
        ([HANG], Timeouts(total=SOON), False, "total", ""),
        ([NDJSON, chunk(said("so far")), HANG], Timeouts(total=SOON), False, "total", "so far"),
        ([b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n", HANG], Timeouts(between_chunks=SOON), False, "between_chunks", ""),
    ],
    ids=["first byte", "load", "after the head", "between chunks", "total, silent", "total, speaking", "refusal"],
)  # fmt: skip
async def test_silence_ends_the_call_and_the_connection(script: Script, timeouts: Timeouts, cold: bool, stage: str, partial: str) -> None:
    async with opened(script) as (host, wire):
        with pytest.raises(HostTimeout) as caught:
            await host.chat(asking(cold=cold), timeouts=timeouts)
        await wire.left.wait()
        assert acquired(host) == 0
    assert (caught.value.stage, caught.value.partial) == (stage, partial)
    assert (caught.value.host, caught.value.model) == ("box", "m")


async def test_a_connection_that_is_never_made() -> None:
    # The port accepts, and then the handshake of TLS is never answered.
    async with asyncio.timeout(20), serving_tls_with(b"") as (url, left):
        host = OllamaHost("box", url)
        with pytest.raises(HostTimeout) as caught:
            await host.chat(asking(), timeouts=Timeouts(connect=SOON))
        await left.wait()
        assert acquired(host) == 0
        await host.close()
    assert caught.value.stage == "connect"
    assert "firewall" in str(caught.value)


@asynccontextmanager
async def serving_tls_with(greeting: bytes) -> AsyncIterator[tuple[str, asyncio.Event]]:
    left = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()
        left.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", left
    server.close()
    await server.wait_closed()


async def test_a_slow_load_is_waited_for() -> None:
    loaded = asyncio.Event()
    timeouts = Timeouts(first_byte=0.01, load=30.0)
    async with opened([loaded, *stream(done("warm"))]) as (host, wire):
        task = asyncio.create_task(host.chat(asking(cold=True), timeouts=timeouts))
        await wire.asked.wait()
        asyncio.get_running_loop().call_later(SOON, loaded.set)
        assert (await task).text == "warm"


# ---------------------------------------------------------------- cancellation


@pytest.mark.parametrize("script", [[HANG], [NDJSON, HANG], [NDJSON, chunk(said("a")), HANG]], ids=["waiting", "head", "streaming"])
async def test_cancelling_a_call_closes_its_connection(script: Script) -> None:
    heard = asyncio.Event()
    before = asyncio.all_tasks()
    async with opened(script, stream(done("next"))) as (host, wire):
        task = asyncio.create_task(host.chat(asking(), timeouts=Timeouts(), on_token=lambda _: heard.set()))
        await wire.asked.wait()
        if len(script) == 3:
            await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wire.left.wait()
        assert acquired(host) == 0
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "next"
        assert wire.connections == 2
    assert asyncio.all_tasks() == before
    gc.collect()  # an unclosed connection or response would warn here, and warnings are errors


async def test_a_listener_that_fails_ends_the_call_and_the_connection() -> None:
    class Gone(Exception):
        pass

    def listen(_: str) -> None:
        raise Gone

    async with opened([NDJSON, chunk(said("a")), HANG]) as (host, wire):
        with pytest.raises(Gone):
            await host.chat(asking(), timeouts=Timeouts(), on_token=listen)
        await wire.left.wait()
        assert acquired(host) == 0
