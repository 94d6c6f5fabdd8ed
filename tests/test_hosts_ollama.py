"""The chat of an Ollama host over real HTTP: what goes out, and what comes back."""

from __future__ import annotations

import asyncio
import json
import traceback

import orjson
import pytest

from mmos.errors import HostError, ModelMissing, UsageError
from mmos.hosts.face import ChatRequest, Host, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message, ToolCall
from tests.hosts import HELLO, acquired, asking, opened
from tests.wire import ABORT, CLOSE, HANG, LAST_CHUNK, NDJSON, Script, answer, call, chunk, done, said, serving, stream


def test_it_is_aopened() -> None:
    host: Host = OllamaHost("box", "http://box:11434/")
    assert (host.name, host.url) == ("box", "http://box:11434")


# ---------------------------------------------------------------- what goes out


async def test_the_request_holds_what_was_asked_and_no_more() -> None:
    async with opened(stream(done("hi"))) as (host, wire):
        await host.chat(asking(), timeouts=Timeouts())
    request = wire.requests[0]
    assert (request.method, request.path) == ("POST", "/api/chat")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "truncate": False,
        "options": {"num_ctx": 4096},
    }


async def test_everything_that_can_be_asked_for() -> None:
    tools = orjson.dumps([{"type": "function", "function": {"name": "dig", "parameters": {"type": "object"}}}])
    history = (
        Message("system", "Be brief."),
        Message("user", "Grüße \N{ROCKET}"),
        Message("assistant", "I dig.", (ToolCall("call_1", "dig", {"deep": 3}),), thinking="hm"),
        Message("tool", "earth", tool_name="dig", call_id="call_1"),
    )
    full = ChatRequest("m", history, 8192, tools=tools, options={"temperature": 0, "num_ctx": 1}, think="high", keep_alive="10m", cold=True)
    bare = ChatRequest("m", HELLO, 2048, format=b'{"type":"object"}', think=False, keep_alive=0)
    async with opened(stream(done()), stream(done())) as (host, wire):
        await host.chat(full, timeouts=Timeouts())
        await host.chat(bare, timeouts=Timeouts())
    first, second = (request.json for request in wire.requests)
    assert first["options"] == {"temperature": 0, "num_ctx": 8192}
    assert (first["think"], first["keep_alive"], first["tools"]) == ("high", "10m", json.loads(tools))
    assert first["messages"][2:] == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "function": {"name": "dig", "arguments": {"deep": 3}}}]},
        {"role": "tool", "content": "earth", "tool_name": "dig", "tool_call_id": "call_1"},
    ]
    assert (second["think"], second["keep_alive"], second["format"]) == (False, 0, {"type": "object"})
    for request in (first, second):
        assert "shift" not in request
    assert "format" not in first
    assert "tools" not in second


async def test_messages_go_out_as_the_bytes_that_they_keep() -> None:
    history = [Message("user" if turn % 2 else "assistant", f"turn {turn}") for turn in range(199)]
    kept = [message.wire for message in history]
    async with opened(stream(done()), stream(done())) as (host, wire):
        await host.chat(ChatRequest("m", history, 4096), timeouts=Timeouts())
        await host.chat(ChatRequest("m", [*history, Message("user", "and now?")], 4096), timeouts=Timeouts())
    assert all(message.wire is bytes_ for message, bytes_ in zip(history, kept, strict=True))
    assert b",".join(kept) in wire.requests[0].body
    assert len(wire.requests[1].json["messages"]) == 200


async def test_a_request_larger_than_a_mebibyte_goes_out_whole() -> None:
    text = "long " * 500_000
    async with opened(stream(done("read"))) as (host, wire):
        reply = await host.chat(ChatRequest("m", [Message("user", text)], 4096), timeouts=Timeouts())
    assert reply.text == "read"
    assert wire.requests[0].json["messages"][0]["content"] == text


async def test_a_path_before_the_api_is_kept() -> None:
    async with serving(stream(done())) as wire:
        host = OllamaHost("box", f"{wire.url}/ollama/")
        await host.chat(asking(), timeouts=Timeouts())
        await host.close()
    assert wire.requests[0].path == "/ollama/api/chat"


async def test_headers_for_a_proxy_go_out_and_are_never_shown() -> None:
    secret = "s3cret-token"
    broken: list[Script] = [stream(done()), answer(b"", 401), [b"not HTTP at all\r\n\r\n", CLOSE], [CLOSE]]
    async with opened(*broken, headers={"Authorization": f"Bearer {secret}", "X-Team": secret}) as (host, wire):
        await host.chat(asking(), timeouts=Timeouts())
        shown = [repr(host), repr(host._wire)]
        for _ in range(3):
            with pytest.raises(HostError) as caught:
                await host.chat(asking(), timeouts=Timeouts())
            shown += [repr(caught.value), *traceback.format_exception(caught.value)]
    assert wire.requests[0].headers["authorization"] == f"Bearer {secret}"
    assert wire.requests[0].headers["x-team"] == secret
    assert len(shown) > 5
    assert secret not in "".join(shown)


async def test_a_password_of_the_url_that_a_server_repeats_is_not_shown() -> None:
    async with serving(answer({"error": "wrong password hunter2-hunter2"}, 500)) as wire:
        host = OllamaHost("box", wire.url.replace("http://", "http://me:hunter2-hunter2@"))
        with pytest.raises(HostError) as caught:
            await host.tags()
        await host.close()
    assert "wrong password ***" in caught.value.message


async def test_credentials_in_the_url_become_a_header_and_are_never_shown() -> None:
    async with serving(stream(done())) as wire:
        host = OllamaHost("box", wire.url.replace("//", "//me:s3cret@"))
        await host.chat(asking(), timeouts=Timeouts())
        await host.close()
    assert wire.requests[0].headers["authorization"] == "Basic bWU6czNjcmV0"
    assert host.url == wire.url
    assert "s3cret" not in repr(host)


@pytest.mark.parametrize(
    "url", ["", "box", "box:11434", "ftp://box", "http://", "http://box:many", "http://[::1", "http://a..b", "http://" + "a" * 70 + ".com"]
)
def test_an_address_of_no_host_is_a_wrong_use(url: str) -> None:
    with pytest.raises(UsageError, match="http://NAME:11434"):
        OllamaHost("box", url)


# ---------------------------------------------------------------- what comes back


async def test_an_answer_streams_and_is_whole() -> None:
    tokens: list[str] = []
    lines = stream(said("Hel"), said("lo"), said("", tool_calls=[call("dig", {"deep": 1})]), done(eval_count=3, eval_duration=30_000_000))
    async with opened(lines) as (host, _):
        reply = await host.chat(asking(), timeouts=Timeouts(), on_token=tokens.append)
    assert tokens == ["Hel", "lo"]
    assert (reply.text, reply.host, reply.model) == ("Hello", "box", "m")
    assert [(one.name, one.arguments) for one in reply.calls] == [("dig", {"deep": 1})]
    assert (reply.usage.output_tokens, reply.usage.output_seconds) == (3, 0.03)


async def test_tokens_are_told_before_the_answer_is_whole() -> None:
    heard, go_on = asyncio.Event(), asyncio.Event()
    async with opened([NDJSON + chunk(said("first")), go_on, chunk(done()), LAST_CHUNK]) as (host, _):
        task = asyncio.create_task(host.chat(asking(), timeouts=Timeouts(), on_token=lambda _: heard.set()))
        await heard.wait()
        assert not task.done()
        go_on.set()
        assert (await task).text == "first"


async def test_an_answer_that_is_not_streamed_is_read_as_well() -> None:
    async with opened(answer(done("all at once").rstrip())) as (host, _):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "all at once"


async def test_an_answer_without_a_content_type_is_read() -> None:
    async with opened(answer(done("bare"), kind="")) as (host, _):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "bare"


async def test_a_stream_that_comes_byte_by_byte_reads_the_same() -> None:
    body = b"".join(data for data in stream(said("Grüße, "), said("世界"), done()) if isinstance(data, bytes))
    async with opened([body[at : at + 1] for at in range(len(body))]) as (host, _):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "Grüße, 世界"


async def test_ten_thousand_tiny_chunks() -> None:
    body = b"".join(chunk(said(f"{number} ")) for number in range(10_000))
    async with opened([NDJSON, body, chunk(done()), LAST_CHUNK]) as (host, _):
        reply = await host.chat(asking(), timeouts=Timeouts())
    assert reply.text == "".join(f"{number} " for number in range(10_000))


# ---------------------------------------------------------------- connections


async def test_ten_calls_need_one_connection() -> None:
    async with opened(*[stream(said("a"), done())] * 10) as (host, wire):
        for _ in range(10):
            assert (await host.chat(asking(), timeouts=Timeouts())).text == "a"
        assert acquired(host) == 0
    assert (len(wire.requests), wire.connections) == (10, 1)


async def test_a_connection_serves_on_after_a_refusal() -> None:
    missing = answer({"error": "model 'm' not found"}, 404)
    async with opened(missing, stream(done("now"))) as (host, wire):
        with pytest.raises(ModelMissing):
            await host.chat(asking(), timeouts=Timeouts())
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "now"
    assert wire.connections == 1


async def test_calls_at_once_have_a_connection_each() -> None:
    go_on = asyncio.Event()
    async with opened(*[[NDJSON, go_on, chunk(done("a")), LAST_CHUNK]] * 8) as (host, wire):
        tasks = [asyncio.create_task(host.chat(asking(), timeouts=Timeouts())) for _ in range(8)]
        while len(wire.requests) < 8:
            wire.asked.clear()
            await wire.asked.wait()
        go_on.set()
        assert [reply.text for reply in await asyncio.gather(*tasks)] == ["a"] * 8
        assert acquired(host) == 0
    assert wire.connections == 8


async def test_an_answer_does_not_wait_for_a_stream_that_is_not_closed() -> None:
    async with opened([NDJSON + chunk(done("whole")), HANG], stream(done("next"))) as (host, wire):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "whole"
        await wire.left.wait()
        assert acquired(host) == 0
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "next"
    assert wire.connections == 2


async def test_an_answer_is_whole_even_if_the_connection_breaks_right_after() -> None:
    for end in (CLOSE, ABORT):
        heard = asyncio.Event()
        async with opened([NDJSON + chunk(said("a")) + chunk(done("whole")), heard, end]) as (host, _):
            reply = await host.chat(asking(), timeouts=Timeouts(), on_token=lambda text, event=heard: event.set())
            assert reply.text == "awhole"
            assert acquired(host) == 0


async def test_closing_twice_or_unopened_does_no_harm() -> None:
    host = OllamaHost("box", "http://127.0.0.1:9")
    await host.close()
    async with opened(stream(done())) as (host, _):
        await host.chat(asking(), timeouts=Timeouts())
        await host.close()
