"""The rehearsal host refuses what Ollama refuses, in the same words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from mmos.rehearsal import Call, Fail, Host, Model, Prompt, Say, serve

USER = [{"role": "user", "content": "hi"}]
MODELS = [
    Model.scripted("full", ["hi"], repeat=True),
    Model.scripted("plain", ["hi"], repeat=True, capabilities=["completion"]),
    Model("embed", capabilities=["embedding"], context_length=512),
]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve(Host("h", MODELS)) as url:
        yield url


async def post(url: str, path: str, data: bytes) -> tuple[int, Any, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.post(url + path, data=data) as response:
        return response.status, response.headers, json.loads(await response.text())


async def refused(url: str, path: str, **body: Any) -> tuple[int, str]:
    status, headers, told = await post(url, path, json.dumps(body).encode())
    assert list(told) == ["error"]
    assert headers["Content-Type"].startswith("application/json")
    return status, told["error"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "missing request body"),
        (b"{nope", "invalid character 'n' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a": 1 "b"}', "invalid character '\"' after object key:value pair"),
        (b'{"a": [1 2]}', "invalid character '2' after array element"),
        (b'{"a": ]', "invalid character ']' looking for beginning of value"),
        (b'{"a": "', "unexpected EOF"),
        (b'{"a": 1', "unexpected EOF"),
        (b"[1]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        (b'{"model": 7}', "json: cannot unmarshal number into Go struct field ChatRequest.model of type string"),
        (b'{"model": true}', "json: cannot unmarshal bool into Go struct field ChatRequest.model of type string"),
        (
            b'{"model": "full", "messages": "hi"}',
            "json: cannot unmarshal string into Go struct field ChatRequest.messages of type []api.Message",
        ),
        (
            b'{"model": "full", "messages": [{"role": "user", "content": [{"type": "text"}]}]}',
            "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
        ),
        (b'{"model": "full", "stream": 1}', "json: cannot unmarshal number into Go struct field ChatRequest.stream of type bool"),
        (b'{"messages": []}', "model is required"),
    ],
)
async def test_bodies(url: str, body: bytes, text: str) -> None:
    status, _, told = await post(url, "/api/chat", body)
    assert (status, told) == (400, {"error": text})


async def test_what_follows_the_first_value_is_left_alone(url: str) -> None:
    status, _, told = await post(url, "/api/show", b'{"model": "full"} and more')
    assert status == 200
    assert told["capabilities"] == ["completion", "tools"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/api/chat", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/generate", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/generate", {"prompt": "x"}, 404, "model '' not found"),
        ("/api/show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
        ("/api/show", {}, 400, "model is required"),
        ("/api/embed", {"model": "nope", "input": "x"}, 404, 'model "nope" not found, try pulling it first'),
        ("/api/chat", {"model": "a b!"}, 400, "invalid model name"),
        ("/api/chat", {"model": "full:cloud"}, 403, "ollama cloud is disabled: remote model is unavailable"),
        ("/api/chat", {"model": "plain", "tools": TOOLS}, 400, "registry.ollama.ai/library/plain:latest does not support tools"),
        ("/api/chat", {"model": "plain", "think": True}, 400, '"plain" does not support thinking'),
        ("/api/chat", {"model": "embed"}, 400, '"embed" does not support chat'),
        ("/api/generate", {"model": "embed", "prompt": "x"}, 400, '"embed" does not support generate'),
        ("/api/embed", {"model": "full", "input": "x"}, 501, "This server does not support embeddings. Start it with `--embeddings`"),
        ("/api/embed", {"model": "embed", "input": [1]}, 400, "invalid input type"),
        ("/api/embed", {"model": "embed", "input": "w " * 5000, "truncate": False}, 400, "the input length exceeds the context length"),
        ("/api/chat", {"model": "full", "keep_alive": True}, 400, "Unsupported type: 'bool'"),
        ("/api/chat", {"model": "full", "keep_alive": "abc"}, 400, 'time: invalid duration "abc"'),
        ("/api/chat", {"model": "full", "keep_alive": "10"}, 400, 'time: missing unit in duration "10"'),
        ("/api/chat", {"model": "full", "keep_alive": "5y"}, 400, 'time: unknown unit "y" in duration "5y"'),
        (
            "/api/chat",
            {"model": "full", "format": "xml"},
            500,
            'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
        ),
        ("/api/chat", {"model": "full", "options": {"num_ctx": "big"}}, 500, 'option "num_ctx" must be of type integer'),
        ("/api/chat", {"model": "full", "options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ("/api/chat", {"model": "full", "options": {"stop": "x"}}, 500, 'option "stop" must be of type array'),
        ("/api/chat", {"model": "full", "top_logprobs": 99}, 400, "top_logprobs must be between 0 and 20"),
        (
            "/api/chat",
            {"model": "full", "think": "ultra"},
            400,
            'invalid think value: "ultra" (must be "high", "medium", "low", "max", true, or false)',
        ),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_refusals(url: str, path: str, body: dict[str, Any], status: int, text: str, stream: bool) -> None:
    more = {"messages": USER} if path == "/api/chat" else {}
    assert await refused(url, path, **{**more, **body, "stream": stream}) == (status, text)


async def test_arguments_in_history_must_be_an_object(url: str) -> None:
    call = {"function": {"name": "look", "arguments": "{}"}}
    history = [*USER, {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": "x"}]
    told = await refused(url, "/api/chat", model="full", messages=history)
    assert told == (400, "Value looks like object, but can't find closing '}' symbol")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_schema_of_an_unknown_type(url: str, stream: bool) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "nonsense"}}}
    status, text = await refused(url, "/api/chat", model="full", messages=USER, format=schema, stream=stream)
    assert status == 400
    assert json.loads(text)["error"]["message"].endswith('Unrecognized schema: {"type":"nonsense"}')


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_that_is_too_long_is_refused_where_truncation_is_off(url: str, stream: bool) -> None:
    long = [{"role": "user", "content": "w " * 2000}]
    body = {"model": "full", "messages": long, "truncate": False, "options": {"num_ctx": 512}, "stream": stream}
    status, text = await refused(url, "/api/chat", **body)
    error = json.loads(text)["error"]
    tokens = error["n_prompt_tokens"]
    assert status == 400
    assert tokens > 512
    assert error == {
        "code": 400,
        "message": f"request ({tokens} tokens) exceeds the available context size (512 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": 512,
    }


async def test_shift_off_refuses_in_plain_words(url: str) -> None:
    long = [{"role": "user", "content": "w " * 2000}]
    status, text = await refused(url, "/api/chat", model="full", messages=long, shift=False, options={"num_ctx": 512})
    assert status == 400
    assert text.startswith("the prompt is longer than the context length")


async def test_truncation_is_silent() -> None:
    seen: list[Prompt] = []

    def look(prompt: Prompt) -> str:
        seen.append(prompt)
        return "ok"

    def message(role: str, sign: str, length: int = 300) -> dict[str, str]:
        return {"role": role, "content": f"{sign} " * length}

    async with serve(Host("h", [Model.scripted("m", [look], repeat=True)])) as url:
        history = [message("system", "s", 50), *(message("user", sign) for sign in "abc"), message("user", "last", 20)]
        dropped = (await post(url, "/api/chat", _chat(history)))[2]
        tail = (await post(url, "/api/chat", _chat([message("user", "x", 4000)])))[2]
    assert [prompt["content"][:1] for prompt in seen[0].messages] == ["s", "c", "l"]
    assert dropped["prompt_eval_count"] <= 512
    assert tail["prompt_eval_count"] == 512 // 2 + 3
    assert len(seen[1].messages[0]["content"]) < 1000


def _chat(messages: list[dict[str, str]]) -> bytes:
    return json.dumps({"model": "m", "messages": messages, "stream": False, "options": {"num_ctx": 512}}).encode()


async def test_the_engine_may_fail_in_mid_answer() -> None:
    turns = [[Say("half an"), Fail("CUDA error")], Fail("error parsing tool call"), [Call("x", {}), Fail("boom")]]
    async with serve(Host("h", [Model.scripted("m", turns)])) as url:
        async with aiohttp.ClientSession() as session:
            async with session.post(url + "/api/chat", json={"model": "m", "messages": USER}) as response:
                rows = [json.loads(line) for line in (await response.text()).splitlines()]
            async with session.post(url + "/api/chat", json={"model": "m", "messages": USER}) as response:
                at_once = response.status, await response.json(content_type=None)
        whole = await refused(url, "/api/chat", model="m", messages=USER, stream=False)
        over = await refused(url, "/api/chat", model="m", messages=USER, stream=False)
    assert [row.get("error") for row in rows] == [None, None, "CUDA error"]
    assert at_once == (500, {"error": "error parsing tool call"})
    assert whole == (500, "boom")
    assert over == (500, "rehearsal: the script of m has 3 turns and was asked for one more")


async def test_what_ollama_accepts_is_accepted(url: str) -> None:
    for more in (
        {"think": False},
        {"tools": None},
        {"tools": []},
        {"format": None},
        {"format": ""},
        {"options": {"unknown": "x", "num_ctx": 100.0}},
        {"keep_alive": "1h30m"},
        {"keep_alive": -1},
        {"model": "plain:local"},
        {"messages": [{"role": "wizard", "content": None}]},
    ):
        body = {"model": "plain", "messages": USER, "stream": False, **more}
        status, _, told = await post(url, "/api/chat", json.dumps(body).encode())
        assert (status, told.get("done"), told.get("model")) == (200, True, body["model"]), more
