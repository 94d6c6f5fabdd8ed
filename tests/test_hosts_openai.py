"""An OpenAI-shaped host over real HTTP: what goes out, what it can and cannot do, and its key."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import orjson
import pytest

from mmos.errors import HostError, HostRefusal, ModelMissing, Unauthorized, UsageError, WindowExceeded
from mmos.hosts.face import ChatRequest, Host, Timeouts
from mmos.hosts.openai import Key, OpenAIHost
from mmos.messages import Message, ToolCall
from tests.hosts import acquired
from tests.openai_wire import DONE, EVENTS, HELLO, TOOLS, asking, delta, finished, opened, sent
from tests.wire import CLOSE, HANG, Script, answer, chunk, serving

SCHEMA = b'{"type":"object"}'


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://box:1234", "http://box:1234/v1"),
        ("http://box:1234/", "http://box:1234/v1"),
        ("http://box:1234?key=1", "http://box:1234/v1"),
        ("http://box:1234/v1", "http://box:1234/v1"),
        ("http://box:1234/v1/", "http://box:1234/v1"),
        ("https://cloud/openai/v3", "https://cloud/openai/v3"),
    ],
)
def test_an_address_may_leave_out_its_v1(given: str, meant: str) -> None:
    host: Host = OpenAIHost("studio", given)
    assert (host.name, host.url) == ("studio", meant)


def test_an_address_of_no_host_is_a_wrong_use() -> None:
    with pytest.raises(UsageError, match="studio"):
        OpenAIHost("studio", "box:1234")


async def test_a_query_in_the_address_goes_with_every_request_and_is_not_shown() -> None:
    async with serving(sent(finished()), answer({"error": "wrong: 2026-01-preview"}, 418)) as wire:
        host = OpenAIHost("studio", f"{wire.url}/deployments/d?api-version=2026-01-preview")
        await host.chat(asking(), timeouts=Timeouts())
        with pytest.raises(HostError) as caught:
            await host.tags()
        await host.close()
    assert [request.path for request in wire.requests] == [
        "/deployments/d/chat/completions?api-version=2026-01-preview", "/deployments/d/models?api-version=2026-01-preview",
    ]  # fmt: skip
    assert "preview" not in repr(host) + host.url + str(caught.value)


# ---------------------------------------------------------------- what goes out


async def test_the_request_holds_what_was_asked_and_no_more() -> None:
    async with opened(sent(delta("hi"), finished())) as (host, wire):
        reply = await host.chat(asking(), timeouts=Timeouts())
    assert reply.text == "hi"
    [request] = wire.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert request.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_everything_that_can_be_asked_for() -> None:
    history = (
        Message("system", "Be brief."),
        Message("user", "Grüße \N{ROCKET}"),
        Message("assistant", "I dig.", (ToolCall("call_1", "dig", {"deep": 3}),), thinking="hm"),
        Message("tool", "earth", tool_name="dig", call_id="call_1"),
        Message("assistant", "There."),
    )
    options = {"temperature": 0, "num_predict": 100, "top_k": 40, "repeat_penalty": 1.1, "stop": ["x"], "num_ctx": 1, "num_gpu": 99}
    full = ChatRequest("m", history, 8192, tools=TOOLS, options=options, think="high", keep_alive="10m", cold=True)
    bare = ChatRequest("m", HELLO, 2048, format=SCHEMA, think=False, options={"num_predict": 2048})
    async with opened(sent(finished()), sent(finished())) as (host, wire):
        await host.chat(full, timeouts=Timeouts())
        await host.chat(bare, timeouts=Timeouts())
    first, second = (request.json for request in wire.requests)
    told = {name: first.pop(name) for name in ("messages", "tools", "model", "stream", "stream_options")}
    assert first == {"temperature": 0, "max_tokens": 100, "top_k": 40, "repeat_penalty": 1.1, "stop": ["x"], "reasoning_effort": "high"}
    assert told["tools"] == orjson.loads(TOOLS)
    call = {"id": "call_1", "type": "function", "function": {"name": "dig", "arguments": '{"deep":3}'}}
    assert told["messages"][1:] == [
        {"role": "user", "content": "Grüße \N{ROCKET}"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "earth", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "There."},
    ]
    assert second["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
    }
    assert not {"tools", "max_tokens", "think", "reasoning_effort", "keep_alive", "options"} & second.keys()


async def test_messages_of_the_users_own_find_their_results_and_keep_their_pictures() -> None:
    history = [
        Message.verbatim({"role": "user", "content": "What is this?", "images": ["iVBORw0KGgo=", "/9j/4AAQ"]}),
        Message.verbatim({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "dig", "arguments": {}}}]}),
        Message.verbatim({"role": "tool", "content": "earth", "tool_name": "dig"}),
    ]
    async with opened(sent(finished())) as (host, wire):
        await host.chat(ChatRequest("m", history, 4096), timeouts=Timeouts())
    seen, asked, result = wire.requests[0].json["messages"]
    assert [part["type"] for part in seen["content"]] == ["text", "image_url", "image_url"]
    assert seen["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert seen["content"][2]["image_url"]["url"].startswith("data:image/jpeg;")
    assert asked["tool_calls"][0]["id"] == result["tool_call_id"] != ""


async def test_messages_are_encoded_once() -> None:
    history = [Message("user" if turn % 2 else "assistant", f"turn {turn}") for turn in range(99)]
    async with opened(sent(finished()), sent(finished())) as (host, wire):
        for _ in range(2):
            await host.chat(ChatRequest("m", history, 4096), timeouts=Timeouts())

    def never(_: Message) -> bytes:
        raise AssertionError

    kept = [message.form("openai", never) for message in history]
    assert all(b",".join(kept) in request.body for request in wire.requests)


# ---------------------------------------------------------------- the window


async def test_what_cannot_fit_the_window_that_was_told_is_not_sent() -> None:
    models = answer({"data": [{"id": "m", "max_model_len": 1000}]})
    async with opened(models, sent(delta("ok"), finished())) as (host, wire):
        assert not host.abilities.tells_window
        await host.tags()
        assert host.abilities.tells_window
        long = ChatRequest("m", [Message("user", "word " * 4000)], 32_768)
        with pytest.raises(WindowExceeded) as caught:
            await host.chat(long, timeouts=Timeouts())
        assert (caught.value.window, caught.value.prompt_tokens) == (1000, 2500)
        fitting = ChatRequest("m", [Message("user", "word " * 400)], 32_768)
        assert (await host.chat(fitting, timeouts=Timeouts())).text == "ok"
    assert len(wire.requests) == 2


async def test_a_limit_that_leaves_no_room_for_the_prompt_is_left_out_once() -> None:
    text = "'max_tokens' or 'max_completion_tokens' is too large: 900. This model's maximum context length is 1000 tokens and your request has 300 input tokens (900 > 1000 - 300)."
    full = answer({"object": "error", "message": text, "type": "BadRequestError", "code": 400}, 400)
    async with opened(full, sent(delta("a"), finished()), sent(delta("b"), finished())) as (host, wire):
        request = asking(options={"num_predict": 900})
        assert [(await host.chat(request, timeouts=Timeouts())).text for _ in range(2)] == ["a", "b"]
    assert ["max_tokens" in request.json for request in wire.requests] == [True, False, True]


# ---------------------------------------------------------------- what it cannot do


async def test_what_such_hosts_cannot_do_is_said_and_not_tried() -> None:
    async with opened() as (host, wire):
        with pytest.raises(HostRefusal, match="studio cannot say which models are in memory"):
            await host.ps()
        with pytest.raises(HostRefusal, match="studio cannot load a model"):
            await host.preload("m", num_ctx=1, timeouts=Timeouts())
        with pytest.raises(HostRefusal, match="studio cannot let go of a model"):
            await host.unload("m")
        with pytest.raises(HostRefusal, match="studio cannot fetch models") as caught:
            host.pull("m")
        abilities = host.abilities
    assert caught.value.next_step
    assert wire.requests == []
    assert not any((abilities.sets_window, abilities.tells_loaded, abilities.loads, abilities.pulls, abilities.tells_cached))


async def test_it_tells_cached_tokens_once_it_was_seen_to() -> None:
    told = {"prompt_tokens_details": {"cached_tokens": 5}}
    async with opened(sent(finished(**told))) as (host, _):
        reply = await host.chat(asking(), timeouts=Timeouts())
        assert host.abilities.tells_cached
    assert reply.usage.cached_tokens == 5


async def test_show_and_version_say_what_the_list_says() -> None:
    models = answer({"data": [{"id": "qwen/m", "context_length": 4096}]})
    async with opened(*[models] * 3) as (host, _):
        card = await host.show("qwen/m")
        assert (card.name, card.capabilities, card.context_length) == ("qwen/m", None, 4096)
        with pytest.raises(ModelMissing, match="other"):
            await host.show("other")
        assert await host.version() == ""


# ---------------------------------------------------------------- the key


SECRET = "sk-story-0123456789"


async def test_the_key_goes_out_and_is_never_shown() -> None:
    echo = answer({"error": {"message": f"Incorrect API key provided: {SECRET}. You can find your key at…"}}, 401)
    plain = answer({"error": f"key {SECRET} has no access to m"}, 418)
    broken: list[Script] = [
        sent(finished()),
        echo,
        plain,
        [b"not HTTP at all\r\n\r\n", CLOSE],
        sent(b'data: {"error": "bad %s"}\n\n' % SECRET.encode()),
    ]
    key = Key("STUDIO_KEY", SECRET)
    async with opened(*broken, key=key, headers={"authorization": "Basic stale", "X-Team": "blue"}) as (host, wire):
        await host.chat(asking(), timeouts=Timeouts())
        shown = [repr(host), repr(host._wire), repr(key), str(key), repr(host._wire.site("m"))]
        for _ in range(4):
            with pytest.raises(HostError) as caught:
                await host.chat(asking(), timeouts=Timeouts())
            shown += [repr(caught.value), str(caught.value), *traceback.format_exception(caught.value)]
    assert {request.headers["authorization"] for request in wire.requests} == {f"Bearer {SECRET}"}
    assert wire.requests[0].headers["x-team"] == "blue"
    assert SECRET not in "".join(shown)
    assert "STUDIO_KEY" in "".join(shown)


@pytest.mark.parametrize("value", ["", "sk-with\nbreak", "sk-schlüssel"])
async def test_nothing_is_sent_without_a_key_that_can_be_sent(value: str) -> None:
    async with opened(key=Key("STUDIO_KEY", value)) as (host, wire):
        calls: list[Any] = [
            host.chat(asking(), timeouts=Timeouts()),
            host.tags(),
            host.embed("m", ["a"], timeouts=Timeouts()),
            host.version(),
        ]
        for call in calls:
            with pytest.raises(Unauthorized, match="STUDIO_KEY") as caught:
                await call
            assert caught.value.elsewhere
            assert value not in str(caught.value) or not value
    assert wire.requests == []


def test_a_key_in_the_place_of_a_variable_is_not_said() -> None:
    with pytest.raises(Unauthorized) as caught:
        Key.of("sk_pasted_by_mistake", {}).check("studio", "m")
    assert "pasted" not in str(caught.value)
    assert Key.of("STUDIO_KEY", {"STUDIO_KEY": "  sk-1\n"}).header == {"Authorization": "Bearer sk-1"}


async def test_nobody_follows_a_redirect_with_the_key() -> None:
    moved = answer(b"", 307, Location="http://127.0.0.1:9/v1/chat/completions")
    async with opened(moved, key=Key("STUDIO_KEY", SECRET)) as (host, wire):
        with pytest.raises(HostError, match="follows nobody"):
            await host.chat(asking(), timeouts=Timeouts())
    assert len(wire.requests) == 1


# ---------------------------------------------------------------- connections


async def test_ten_calls_need_one_connection() -> None:
    async with opened(*[sent(delta("a"), finished())] * 10) as (host, wire):
        for _ in range(10):
            assert (await host.chat(asking(), timeouts=Timeouts())).text == "a"
        assert acquired(host) == 0  # type: ignore[arg-type]
    assert (len(wire.requests), wire.connections) == (10, 1)


async def test_a_cancelled_call_closes_its_request() -> None:
    heard = asyncio.Event()
    async with opened([EVENTS, chunk(delta("so far")), HANG]) as (host, wire):
        task = asyncio.create_task(host.chat(asking(), timeouts=Timeouts(), on_token=lambda _: heard.set()))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wire.left.wait()
        assert acquired(host) == 0  # type: ignore[arg-type]


async def test_an_answer_does_not_wait_for_a_stream_that_is_not_closed() -> None:
    async with opened([EVENTS + chunk(delta("whole", finish="stop") + DONE), HANG], sent(delta("next"), finished())) as (host, wire):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "whole"
        await wire.left.wait()
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "next"
    assert wire.connections == 2
