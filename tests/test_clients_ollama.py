"""The `ollama` package against a rehearsal host."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import ollama
import pytest

from mmos.rehearsal import Architecture, Call, Fail, Host, Model, Prompt, serve
from tests.rehearsal_ask import tools

USER = [{"role": "user", "content": "hi"}]


def turn(prompt: Prompt) -> Any:
    if prompt.user_text == "fail":
        return ["half ", Fail("an error was encountered while running the model: unexpected EOF")]
    if prompt.results:
        return f"It said {prompt.results[0].text}."
    return Call("look", {"query": "x"}) if prompt.toolbox else "one two three"


@pytest.fixture
async def client() -> AsyncIterator[ollama.AsyncClient]:
    models = [
        Model.scripted("m", [turn], repeat=True),
        Model("e", capabilities=["embedding"], architecture=Architecture(embedding_length=8)),
    ]
    async with serve(Host("h", models, pullable=[Model("new")])) as url:
        client = ollama.AsyncClient(url)
        yield client
        await client.close()


async def test_chat(client: ollama.AsyncClient) -> None:
    whole = await client.chat("m", USER)
    parts = [part async for part in await client.chat("m", USER, stream=True)]
    assert (whole.message.content, whole.done_reason, whole.eval_count) == ("one two three", "stop", 3)
    assert "".join(part.message.content or "" for part in parts) == "one two three"
    assert parts[-1].done


async def test_tools(client: ollama.AsyncClient) -> None:
    first = await client.chat("m", USER, tools=tools("look"))
    calls = first.message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [("look", {"query": "x"})]
    history = [*USER, first.message, {"role": "tool", "tool_name": "look", "content": "so"}]
    assert (await client.chat("m", history, tools=tools("look"))).message.content == "It said so."


async def test_everything_else(client: ollama.AsyncClient) -> None:
    assert (await client.generate("m", "hi")).response == "one two three"
    assert [len(row) for row in (await client.embed("e", ["a", "b"])).embeddings] == [8, 8]
    assert len((await client.embeddings("e", "a")).embedding) == 8
    assert [model.model for model in (await client.list()).models] == ["m:latest", "e:latest"]
    assert {model.model for model in (await client.ps()).models} == {"m:latest", "e:latest"}
    assert "tools" in ((await client.show("m")).capabilities or [])
    steps = [step.status async for step in await client.pull("new", stream=True)]
    assert (steps[0], steps[-1]) == ("pulling manifest", "success")
    await client.copy("m", "twin")
    await client.delete("twin")


async def test_errors(client: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as missing:
        await client.chat("nope", USER)
    stream = await client.chat("m", [{"role": "user", "content": "fail"}], stream=True)
    with pytest.raises(ollama.ResponseError, match="unexpected EOF") as broken:
        [part async for part in stream]
    assert (missing.value.status_code, broken.value.status_code) == (404, -1)


async def test_making_copying_and_deleting(client: ollama.AsyncClient, tmp_path: Any) -> None:
    steps = [
        step.status async for step in await client.create("mine", from_="m", system="Be kind.", parameters={"num_ctx": 1024}, stream=True)
    ]
    assert steps[-1] == "success"
    assert (await client.show("mine")).parameters == "num_ctx                        1024"
    await client.copy("mine", "other")
    await client.delete("mine")
    assert [model.model for model in (await client.list()).models] == ["other:latest", "m:latest", "e:latest"]
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF")
    assert await client.create_blob(weights) == f"sha256:{hashlib.sha256(b'GGUF').hexdigest()}"
    with pytest.raises(ollama.ResponseError, match="lookup registry"):
        await client.push("m")


async def test_generating_raw_and_with_logprobs(client: ollama.AsyncClient) -> None:
    raw = await client.generate("m", "x", raw=True)
    assert (raw.response, raw.context) == ("one two three", None)
    sure = await client.chat("m", USER, logprobs=True, top_logprobs=1)
    assert [one.token for one in sure.logprobs or ()] == ["one", " two", " three"]
    parts = [part async for part in await client.chat("m", USER, logprobs=True, stream=True)]
    assert [one.token for part in parts for one in part.logprobs or ()] == ["one", " two", " three"]
