"""The `/v1` routes: OpenAI's shapes, and what gets lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmos.rehearsal import Call, Fail, Host, Loop, Model, Think, serve
from tests.rehearsal_ask import Reply, a_model, ask, chat, resident, tools

USER = [{"role": "user", "content": "hi"}]
HEAD = ["id", "object", "created", "model", "system_fingerprint", "choices"]


async def complete(url: str, **more: Any) -> Reply:
    return await ask(url, "/v1/chat/completions", {"model": "m", "messages": USER, **more})


async def on(*turns: Any, profile: Any = "0.33", path: str = "go-template", **more: Any) -> Reply:
    capabilities = ["completion", "tools", "thinking"]
    async with serve(Host("h", [a_model("m", *turns, path=path, capabilities=capabilities)], profile=profile)) as url:
        return await complete(url, **more)


def events(reply: Reply) -> list[Any]:
    rows = [row.removeprefix("data: ") for row in reply.text.split("\n\n") if row]
    return [row if row == "[DONE]" else json.loads(row) for row in rows]


async def test_a_completion() -> None:
    reply = await on("one two three")
    row = reply.row
    assert (reply.status, reply.kind) == (200, "application/json")
    assert list(row) == [*HEAD, "usage"]
    assert row["id"].startswith("chatcmpl-")
    assert row["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "one two three"}, "finish_reason": "stop"}]
    assert row["usage"]["completion_tokens"] == 3
    assert row["usage"]["total_tokens"] == row["usage"]["prompt_tokens"] + 3


@pytest.mark.parametrize("usage", [True, False])
async def test_a_stream_tells_its_usage_where_it_is_asked_to(usage: bool) -> None:
    reply = await on("one two", stream=True, **({"stream_options": {"include_usage": True}} if usage else {}))
    first, second, last, *rest, end = events(reply)
    assert (reply.kind, end) == ("text/event-stream", "[DONE]")
    assert list(first) == HEAD
    assert first["choices"] == [{"index": 0, "delta": {"role": "assistant", "content": "one"}, "finish_reason": None}]
    assert second["choices"][0]["delta"] == {"content": " two"}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert [row["choices"] for row in rest] == ([[]] if usage else [])
    assert all(row["usage"]["completion_tokens"] == 2 for row in rest)


async def test_an_old_host_repeats_the_role() -> None:
    rows = events(await on("one two", stream=True, profile="0.13"))
    assert [row["choices"][0]["delta"] for row in rows[1:3]] == [
        {"role": "assistant", "content": " two"},
        {"role": "assistant", "content": ""},
    ]


@pytest.mark.parametrize("path", ["go-template", "native"])
async def test_calls(path: str) -> None:
    turn = [Call("look", {"query": "x"}), Call("look", {"query": "y"})]
    whole = (await on(turn, path=path, tools=tools("look"))).row["choices"][0]
    rows = events(await on(turn, path=path, tools=tools("look"), stream=True))
    streamed = [call for row in rows[:-2] for call in row["choices"][0]["delta"]["tool_calls"]]
    assert (whole["finish_reason"], rows[-2]["choices"][0]["finish_reason"]) == ("tool_calls", "tool_calls")
    for calls in (whole["message"]["tool_calls"], streamed):
        assert [(call["index"], call["type"]) for call in calls] == [(0, "function"), (1, "function")]
        assert calls[1]["function"] == {"name": "look", "arguments": '{"query":"y"}'}


async def test_thoughts_are_reasoning() -> None:
    turn = [Think("Hm."), "Four."]
    assert (await on(turn)).row["choices"][0]["message"]["reasoning"] == "Hm."
    assert "reasoning" not in (await on(turn, reasoning_effort="none")).row["choices"][0]["message"]
    assert events(await on(turn, stream=True))[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "reasoning": "Hm."}


async def test_what_is_asked_reaches_the_model() -> None:
    seen: list[Any] = []

    def look(prompt: Any) -> str:
        seen.append(prompt)
        return '{"a": 1}'

    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"query":"x"}'}}
    history = [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "found"},
    ]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    await on(look, messages=history, response_format=wanted)
    [prompt] = seen
    assert [message["content"] for message in prompt.messages] == ["one\ntwo", "", "found"]
    assert [(result.tool, result.text) for result in prompt.results] == [("look", "found")]
    assert prompt.format == schema
    short = await on("one two three", max_tokens=2)
    stopped = await on("one two three", stop=" three")
    assert (short.row["choices"][0]["finish_reason"], short.row["choices"][0]["message"]["content"]) == ("length", "one two")
    assert stopped.row["choices"][0]["message"]["content"] == "one two"


async def test_errors_have_a_shape_of_their_own() -> None:
    async def error(reply: Reply) -> tuple[int, str, str]:
        assert list(reply.row["error"]) == ["message", "type", "param", "code"]
        return reply.status, reply.row["error"]["type"], reply.row["error"]["message"]

    async with serve(Host("h", [a_model("plain", capabilities=["completion"])])) as url:
        assert await error(await ask(url, "/v1/chat/completions", b"{")) == (400, "invalid_request_error", "unexpected EOF")
        assert await error(await complete(url, messages=[])) == (400, "invalid_request_error", "[] is too short - 'messages'")
        assert await error(await complete(url, model="nope")) == (404, "not_found_error", "model 'nope' not found")
        assert (await error(await complete(url, model="plain", tools=tools("x"))))[:2] == (400, "invalid_request_error")
        assert await error(await ask(url, "/v1/models/nope", method="GET")) == (404, "not_found_error", "model 'nope' not found")
        away = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]}]
        assert await error(await complete(url, messages=away)) == (400, "invalid_request_error", "invalid image input")
        assert (await ask(url, "/v1/nope", method="GET")).text == "404 page not found"
    assert await error(await on(Fail("boom"))) == (500, "api_error", "boom")
    assert await error(await on(Fail("boom"), stream=True)) == (500, "api_error", "boom")


async def test_an_engine_that_fails_in_mid_stream_is_not_told() -> None:
    rows = events(await on(["half ", Fail("boom")], stream=True))
    assert rows[-1]["model"] == ""
    assert rows[-1]["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]
    assert "[DONE]" not in rows


async def test_an_answer_without_an_end() -> None:
    streamed = events(await on(Loop(" no"), stream=True))
    whole = (await on(Loop(" no"))).row
    assert (len(streamed), "[DONE]" in streamed) == (31, False)
    assert (whole["choices"][0]["finish_reason"], whole["usage"]["total_tokens"]) == (None, 0)


async def test_faults_strike_here_too() -> None:
    host = Host("h", [a_model("m", "one two three")])
    async with serve(host) as url:
        host.faults.add("no_done", path="/v1/chat/completions", times=1, chunks=1)
        assert len(events(await complete(url, stream=True))) == 1
        host.faults.add("busy", path="/v1/chat/completions", times=1)
        assert (await complete(url)).status == 503
        assert (await complete(url)).status == 200


async def test_a_call_here_loads_a_model_again_that_has_another_window() -> None:
    host = Host("h", [a_model()])
    async with serve(host) as url:
        await chat(url)
        await complete(url)
        assert host.loads == 1
        await chat(url, options={"num_ctx": 1024})
        await complete(url)
        assert host.loads == 3
        assert await resident(url) == ["m"]


async def test_models_and_embeddings() -> None:
    models = [Model("e", capabilities=["embedding"], architecture=a_model().architecture), a_model("m:7b")]
    async with serve(Host("h", models)) as url:
        listed = (await ask(url, "/v1/models", method="GET")).row
        one = (await ask(url, "/v1/models/m:7b", method="GET")).row
        vectors = (await ask(url, "/v1/embeddings", {"model": "e", "input": ["a", "b"]})).row
        packed = (await ask(url, "/v1/embeddings", {"model": "e", "input": "a", "encoding_format": "base64"})).row
    assert [row["id"] for row in listed["data"]] == ["e:latest", "m:7b"]
    assert list(one) == ["id", "object", "created", "owned_by"]
    assert [(row["index"], len(row["embedding"])) for row in vectors["data"]] == [(0, 8), (1, 8)]
    assert set(vectors["usage"]) == {"prompt_tokens", "total_tokens"}
    assert isinstance(packed["data"][0]["embedding"], str)


async def test_cached_tokens_are_told_by_the_newest_alone() -> None:
    assert (await on("x", profile="0.34")).row["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert "prompt_tokens_details" not in (await on("x")).row["usage"]


async def test_completions_of_a_text() -> None:
    async with serve(Host("h", [a_model("m", "one two"), a_model("e", capabilities=["embedding"])], profile="0.34")) as url:
        whole = (await ask(url, "/v1/completions", {"model": "m", "prompt": "x", "max_tokens": 1})).row
        assert whole["choices"] == [{"text": "one", "index": 0, "finish_reason": "length"}]
        assert whole["object"] == "text_completion"
        assert whole["id"].startswith("cmpl-")
        body = {"model": "m", "prompt": "x", "stream": True, "stream_options": {"include_usage": True}}
        events = (await ask(url, "/v1/completions", body)).text.split("\n\n")
        told = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
        assert [choice["text"] for row in told for choice in row["choices"]] == ["one", " two", ""]
        assert [row["usage"]["completion_tokens"] for row in told] == [0, 0, 0, 2]
        assert events[-2] == "data: [DONE]"
        empty = (await ask(url, "/v1/completions", {"model": "m"})).row
        assert (empty["choices"], empty["usage"]["total_tokens"]) == ([{"text": "", "index": 0, "finish_reason": "load"}], 0)
        refused = await ask(url, "/v1/completions", {"model": "e", "prompt": "x"})
        assert refused.row["error"] == {
            "message": '"e" does not support generate',
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
        many = await ask(url, "/v1/completions", {"model": "m", "prompt": ["x"]})
        assert (many.status, many.kind) == (400, "application/json; charset=utf-8")
        assert many.row["error"]["message"].endswith("CompletionRequest.prompt of type string")


@pytest.mark.parametrize(("profile", "kind"), [("0.13", "api_error"), ("0.34", "invalid_request_error")])
async def test_the_old_line_has_one_type_for_what_a_model_refuses(profile: Any, kind: str) -> None:
    async with serve(Host("h", [a_model(capabilities=["completion"])], profile=profile)) as url:
        refused = await ask(url, "/v1/completions", {"model": "m", "prompt": "x", "suffix": "y"})
        assert refused.row["error"]["type"] == kind
        unread = await ask(url, "/v1/completions", b"{")
        assert unread.row["error"]["type"] == "invalid_request_error"
