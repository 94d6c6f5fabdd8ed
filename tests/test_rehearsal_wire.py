"""The rehearsal host speaks like Ollama: routes, shapes, field order, content types."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any

import aiohttp
import pytest

from mmos.rehearsal import Architecture, Call, Finish, Host, Loop, Model, Say, Think, serve

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
USER = [{"role": "user", "content": "hi"}]


def a_host(*turns: Any, **card: Any) -> Host:
    return Host("h", [Model.scripted("m", list(turns), **card)])


async def ask(url: str, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url + path, json=body) as response:
        return response.status, response.headers, await response.text()


async def answer(url: str, **more: Any) -> dict[str, Any]:
    status, _, text = await ask(url, "/api/chat", {"model": "m", "messages": USER, "stream": False, **more})
    assert status == 200, text
    return json.loads(text)


async def lines(url: str, **more: Any) -> list[dict[str, Any]]:
    _, _, text = await ask(url, "/api/chat", {"model": "m", "messages": USER, **more})
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "body"),
    [
        ("GET", "/", 200, "text/plain; charset=utf-8", "Ollama is running"),
        ("HEAD", "/", 200, "text/plain; charset=utf-8", ""),
        ("GET", "/api/version", 200, "application/json; charset=utf-8", '{"version":"0.33.0"}'),
        ("HEAD", "/api/version", 200, "application/json; charset=utf-8", ""),
        ("HEAD", "/api/tags", 200, "application/json; charset=utf-8", ""),
        ("GET", "/api/ps", 200, "application/json; charset=utf-8", '{"models":[]}'),
        ("GET", "/nope", 404, "text/plain", "404 page not found"),
        ("GET", "/api/chat", 405, "text/plain", "405 method not allowed"),
        ("POST", "/api/tags", 405, "text/plain", "405 method not allowed"),
    ],
)
async def test_routes(method: str, path: str, status: int, kind: str, body: str) -> None:
    async with serve(a_host()) as url:
        got, headers, text = await ask(url, path, method=method)
    assert (got, headers["Content-Type"], text) == (status, kind, body)
    assert "Content-Length" in headers


async def test_tags_list_details_and_capabilities() -> None:
    async with serve(Host("h", [Model("m:7b", family="qwen2", parameter_size="7.6B", size=5)])) as url:
        _, _, text = await ask(url, "/api/tags", method="GET")
    [model] = json.loads(text)["models"]
    assert list(model) == ["name", "model", "modified_at", "size", "digest", "details", "capabilities"]
    assert (model["name"], model["size"], model["capabilities"]) == ("m:7b", 5, ["completion", "tools"])
    assert re.fullmatch(r"[0-9a-f]{64}", model["digest"])
    assert STAMP.fullmatch(model["modified_at"])
    assert model["details"] == {
        "parent_model": "",
        "format": "gguf",
        "family": "qwen2",
        "families": ["qwen2"],
        "parameter_size": "7.6B",
        "quantization_level": "Q4_K_M",
        "context_length": 32768,
        "embedding_length": 4096,
    }


async def test_show_tells_what_a_kv_cache_costs() -> None:
    built = Architecture(layers=48, heads=40, kv_heads=8, head_size=128, embedding_length=5120)
    async with serve(Host("h", [Model("m", family="qwen2", parameter_size="14.8B", architecture=built)])) as url:
        status, _, text = await ask(url, "/api/show", {"model": "m"})
    card = json.loads(text)
    info = card["model_info"]
    assert status == 200
    assert card["capabilities"] == ["completion", "tools"]
    assert info["general.architecture"] == "qwen2"
    assert info["general.parameter_count"] == 14_800_000_000
    assert (info["qwen2.block_count"], info["qwen2.attention.head_count_kv"], info["qwen2.attention.key_length"]) == (48, 8, 128)


async def test_a_stream_is_one_object_a_line_and_ends_with_done() -> None:
    async with serve(a_host("Hello there friend")) as url:
        status, headers, text = await ask(url, "/api/chat", {"model": "m", "messages": USER})
    rows = [json.loads(line) for line in text.splitlines()]
    assert status == 200
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Transfer-Encoding"] == "chunked"
    assert [row["message"]["content"] for row in rows] == ["Hello", " there", " friend", ""]
    assert all(list(row) == ["model", "created_at", "message", "done"] for row in rows[:-1])
    assert all(STAMP.fullmatch(row["created_at"]) for row in rows)
    assert list(rows[-1]) == [
        *("model", "created_at", "message", "done", "done_reason", "total_duration", "load_duration"),
        *("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"),
    ]
    assert (rows[-1]["done"], rows[-1]["done_reason"], rows[-1]["eval_count"]) == (True, "stop", 3)


async def test_not_streamed_it_is_one_object() -> None:
    async with serve(a_host("Hello there friend")) as url:
        status, headers, text = await ask(url, "/api/chat", {"model": "m", "messages": USER, "stream": False})
    row = json.loads(text)
    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert row["message"] == {"role": "assistant", "content": "Hello there friend"}
    assert isinstance(row["total_duration"], int)
    assert row["total_duration"] == row["load_duration"] + row["prompt_eval_duration"] + row["eval_duration"]


async def test_go_escapes_angle_brackets() -> None:
    async with serve(a_host("a <b> & c")) as url:
        _, _, text = await ask(url, "/api/chat", {"model": "m", "messages": USER, "stream": False})
    assert r"a \u003cb\u003e \u0026 c" in text
    assert json.loads(text)["message"]["content"] == "a <b> & c"


async def test_calls_come_one_a_chunk_before_the_done_chunk() -> None:
    async with serve(a_host(["Let me see.", Call("look", {"at": "<x>"}), Call("think", {})])) as url:
        rows = await lines(url)
    calls = [row["message"]["tool_calls"] for row in rows if "tool_calls" in row["message"]]
    assert [len(found) for found in calls] == [1, 1]
    assert [found[0]["function"]["index"] for found in calls] == [0, 1]
    assert calls[0][0]["function"] == {"index": 0, "name": "look", "arguments": {"at": "<x>"}}
    assert all(re.fullmatch(r"call_[a-z0-9]{8}", found[0]["id"]) for found in calls)
    assert rows[-1]["message"] == {"role": "assistant", "content": ""}
    assert rows[-1]["done_reason"] == "stop"


async def test_calls_not_streamed() -> None:
    async with serve(a_host([Call("look", {}), Call("think", {})])) as url:
        message = (await answer(url))["message"]
    assert list(message) == ["role", "content", "tool_calls"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["look", "think"]


async def test_thoughts_come_apart_and_can_be_turned_off() -> None:
    turns = [[Think("Two and two."), Say("Four.")]] * 3
    async with serve(a_host(*turns, capabilities=["completion", "thinking"])) as url:
        rows = await lines(url)
        whole = await answer(url, think="high")
        plain = await answer(url, think=False)
    assert rows[0]["message"] == {"role": "assistant", "content": "", "thinking": "Two"}
    assert whole["message"] == {"role": "assistant", "content": "Four.", "thinking": "Two and two."}
    assert plain["message"] == {"role": "assistant", "content": "Four."}


async def test_limits_end_an_answer() -> None:
    turns = ["one two three four", [Call("look", {"at": "x"})], "one two three", ["One.", Finish("length")], [Loop("on and")]]
    async with serve(a_host(*turns)) as url:
        short = await answer(url, options={"num_predict": 2})
        swallowed = await answer(url, options={"num_predict": 3})
        stopped = await answer(url, options={"stop": [" two"]})
        finished = await answer(url)
        endless = await answer(url, options={"num_predict": 7})
    assert (short["message"]["content"], short["done_reason"], short["eval_count"]) == ("one two", "length", 2)
    assert (swallowed["message"], swallowed["done_reason"]) == ({"role": "assistant", "content": ""}, "length")
    assert swallowed["eval_count"] == 3
    assert (stopped["message"]["content"], stopped["done_reason"]) == ("one", "stop")
    assert (finished["message"]["content"], finished["done_reason"]) == ("One.", "length")
    assert (endless["eval_count"], endless["done_reason"]) == (7, "length")


async def test_the_same_token_over_and_over_ends_without_done() -> None:
    async with serve(a_host(Loop(" no"), Loop(" no"))) as url:
        rows = await lines(url)
        whole = await answer(url)
    assert len(rows) == 31
    assert not rows[-1]["done"]
    assert whole["done"] is False
    assert "done_reason" not in whole


async def test_load_and_unload() -> None:
    host = a_host("hi")
    async with serve(host) as url:
        loaded = await answer(url, messages=[])
        _, _, ps = await ask(url, "/api/ps", method="GET")
        _, _, unloaded = await ask(url, "/api/generate", {"model": "m", "keep_alive": 0})
        _, _, empty = await ask(url, "/api/ps", method="GET")
        said = await answer(url, keep_alive=0)
        _, _, after = await ask(url, "/api/ps", method="GET")
    del loaded["created_at"]
    assert loaded == {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}
    [runner] = json.loads(ps)["models"]
    assert list(runner) == ["name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"]
    assert (runner["name"], runner["context_length"]) == ("m:latest", 4096)
    assert json.loads(unloaded)["done_reason"] == "unload"
    assert json.loads(unloaded)["response"] == ""
    assert (empty, after) == ('{"models":[]}', '{"models":[]}')
    assert said["message"]["content"] == "hi"
    assert host.loads == 2


async def test_generate() -> None:
    async with serve(a_host("Hello there", "Hello there")) as url:
        _, _, streamed = await ask(url, "/api/generate", {"model": "m", "prompt": "hi", "system": "Be short."})
        _, _, whole = await ask(url, "/api/generate", {"model": "m", "prompt": "hi", "stream": False})
    rows = [json.loads(line) for line in streamed.splitlines()]
    assert [row["response"] for row in rows] == ["Hello", " there", ""]
    assert rows[-1]["done_reason"] == "stop"
    assert all(isinstance(token, int) for token in rows[-1]["context"])
    assert json.loads(whole)["response"] == "Hello there"


EMBEDDER = Model("e", capabilities=["embedding"], context_length=32, architecture=Architecture(embedding_length=64))


async def test_embed() -> None:
    async with serve(Host("h", [EMBEDDER])) as url:
        _, _, text = await ask(url, "/api/embed", {"model": "e", "input": ["a cat sat", "the cat sits", "stock prices fell"]})
        _, _, short = await ask(url, "/api/embed", {"model": "e", "input": "a cat sat", "dimensions": 8})
        empty = [(await ask(url, "/api/embed", {"model": "e", "input": value}))[2] for value in ([], "")]
    row = json.loads(text)
    cat, cats, stocks = row["embeddings"]
    assert list(row) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert math.isclose(math.hypot(*cat), 1.0, abs_tol=1e-6)
    assert sum(a * b for a, b in zip(cat, cats, strict=True)) > sum(a * b for a, b in zip(cat, stocks, strict=True)) + 0.2
    assert len(json.loads(short)["embeddings"][0]) == 8
    assert empty == ['{"model":"e","embeddings":[]}'] * 2


async def test_pull() -> None:
    host = Host("h", [Model("here")], pullable=[Model("there")])
    async with serve(host) as url:
        _, headers, text = await ask(url, "/api/pull", {"model": "there"})
        _, _, again = await ask(url, "/api/pull", {"model": "here"})
        status, _, unknown = await ask(url, "/api/pull", {"model": "nowhere"})
        failed = await ask(url, "/api/pull", {"model": "nowhere", "stream": False})
        whole = await ask(url, "/api/pull", {"model": "there", "stream": False})
        _, _, tags = await ask(url, "/api/tags", method="GET")
    steps = [json.loads(line) for line in text.splitlines()]
    assert headers["Content-Type"] == "application/x-ndjson"
    assert steps[0] == {"status": "pulling manifest"}
    assert steps[-1] == {"status": "success"}
    done = [step["completed"] for step in steps if "completed" in step]
    assert done == sorted(done)
    assert done[-1] == steps[1]["total"]
    assert json.loads(again.splitlines()[-1]) == {"status": "success"}
    assert status == 200
    assert json.loads(unknown.splitlines()[-1]) == {"error": "pull model manifest: file does not exist"}
    assert failed[0] == 500
    assert json.loads(whole[2]) == {"status": "success"}
    assert [model["name"] for model in json.loads(tags)["models"]] == ["there:latest", "here:latest"]


async def test_the_same_requests_give_the_same_bytes() -> None:
    async def run() -> list[str]:
        host = Host("h", [Model.scripted("m", [[Say("a b"), Call("look", {})], Call("look", {})])], seed=7, wall=lambda: 10**18)
        async with serve(host) as url:
            return [(await ask(url, "/api/chat", {"model": "m", "messages": USER}))[2] for _ in range(2)]

    first = await run()
    assert first == await run()
    assert len(set(re.findall(r"call_\w+", "".join(first)))) == 2


async def test_a_request_may_come_in_chunks_and_many_on_one_connection() -> None:
    async def body() -> Any:
        data = json.dumps({"model": "m", "messages": USER, "stream": False}).encode()
        yield data[:10]
        yield data[10:]

    host = a_host("one", "two")
    async with serve(host) as url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        for wanted in ("one", "two"):
            async with session.post(url + "/api/chat", data=body(), expect100=True) as response:
                assert (await response.json())["message"]["content"] == wanted
    assert [seen.path for seen in host.requests] == ["/api/chat", "/api/chat"]


async def raw(url: str, text: str) -> str:
    """What a client of bytes is answered, up to the end of the connection or of its answer."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    try:
        return (await asyncio.wait_for(reader.readline(), 10)).decode()
    finally:
        writer.close()


@pytest.mark.parametrize("size", ["-6", "+6", "0x6", "6_0", " ", "", "ffffffffff", "g"])
async def test_a_size_that_is_none_is_a_bad_request(size: str) -> None:
    head = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\n"
    async with serve(a_host("Yes.")) as url:
        assert " 400 " in await raw(url, f"{head}Transfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n")
        if size.strip():
            assert " 400 " in await raw(url, f"{head}Content-Length: {size}\r\n\r\nhello")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: localhost", 200),
        ("Host: 127.0.0.1:80", 200),
        ("Host: localhost.evil.example", 403),
        ("Host: 127.evil.example", 403),
        ("Host: localhost\r\nOrigin: https://evil.example", 403),
        ("Host: localhost\r\nOrigin: null", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
    ],
)
async def test_no_web_page_controls_a_rehearsal(headers: str, status: int) -> None:
    fault = '{"kind": "hang"}'
    host = a_host("Yes.")
    async with serve(host) as url:
        said = await raw(url, f"POST /__faults HTTP/1.1\r\n{headers}\r\nContent-Length: {len(fault)}\r\n\r\n{fault}")
        assert f" {status} " in said
        assert len(host.faults.to_json()) == (status == 200)


@pytest.mark.parametrize(("name", "status"), [("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("app.localhost", 200)])
async def test_only_names_of_this_machine_are_served(name: str, status: int) -> None:
    async with serve(a_host("Yes.")) as url:
        assert f" {status} " in await raw(url, f"GET /api/tags HTTP/1.1\r\nHost: {name}\r\n\r\n")
