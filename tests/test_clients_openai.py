"""The `openai` package against the `/v1` routes of a rehearsal host."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mmos.rehearsal import Architecture, Call, Host, Model, Prompt, serve
from tests.rehearsal_ask import tools

openai = pytest.importorskip("openai")
USER = [{"role": "user", "content": "hi"}]


def turn(prompt: Prompt) -> Any:
    if prompt.results:
        return f"It said {prompt.results[0].text}."
    return Call("look", {"query": "x"}) if prompt.toolbox else "one two three"


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    models = [
        Model.scripted("m", [turn], repeat=True),
        Model("e", capabilities=["embedding"], architecture=Architecture(embedding_length=8)),
    ]
    async with serve(Host("h", models)) as url, openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


async def test_chat(client: Any) -> None:
    whole = await client.chat.completions.create(model="m", messages=USER)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("one two three", "stop")
    assert whole.usage.completion_tokens == 3
    stream = await client.chat.completions.create(model="m", messages=USER, stream=True, stream_options={"include_usage": True})
    parts = [part async for part in stream]
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "one two three"
    assert (parts[-1].choices, parts[-1].usage.completion_tokens) == ([], 3)


async def test_tools(client: Any) -> None:
    first = await client.chat.completions.create(model="m", messages=USER, tools=tools("look"))
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert (message.tool_calls[0].function.name, message.tool_calls[0].function.arguments) == ("look", '{"query":"x"}')
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "so"}
    second = await client.chat.completions.create(model="m", messages=[*USER, message, result], tools=tools("look"))
    assert second.choices[0].message.content == "It said so."


async def test_models_embeddings_and_errors(client: Any) -> None:
    assert [model.id async for model in client.models.list()] == ["m:latest", "e:latest"]
    assert (await client.models.retrieve("m")).owned_by == "library"
    plain = await client.embeddings.create(model="e", input=["a b"], encoding_format="float")
    packed = await client.embeddings.create(model="e", input=["a b"])
    assert math.isclose(math.hypot(*plain.data[0].embedding), 1.0, abs_tol=1e-6)
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        await client.chat.completions.create(model="nope", messages=USER)


async def test_completions_and_logprobs(client: Any) -> None:
    whole = await client.completions.create(model="m", prompt="hi")
    assert (whole.choices[0].text, whole.choices[0].finish_reason, whole.object) == ("one two three", "stop", "text_completion")
    stream = await client.completions.create(model="m", prompt="hi", stream=True)
    assert "".join([part.choices[0].text async for part in stream]) == "one two three"
    sure = await client.chat.completions.create(model="m", messages=USER, logprobs=True, top_logprobs=1)
    assert [one.token for one in sure.choices[0].logprobs.content] == ["one", " two", " three"]
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="m", input="hi")
