"""Every refusal that can be provoked from outside: the same status and the same words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.peers import Talk
from tests.live.versions import of

M = [{"role": "user", "content": "x"}]
TOOLS = [{"type": "function", "function": {"name": "t", "description": "d", "parameters": {"type": "object", "properties": {}}}}]
CHAT, GENERATE, EMBED, SHOW = "/api/chat", "/api/generate", "/api/embed", "/api/show"


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        pytest.param(CHAT, "", 400, "missing request body", id="empty body"),
        pytest.param(CHAT, "{nope", 400, "invalid character 'n' looking for beginning of object key string", id="no JSON"),
        pytest.param(CHAT, {"messages": M}, 400, "model is required", id="no model"),
        pytest.param(GENERATE, {"prompt": "x"}, 404, "model '' not found", id="no model, generate"),
        pytest.param(CHAT, {"model": "nope", "messages": M}, 404, "model 'nope' not found", id="unknown, chat"),
        pytest.param(GENERATE, {"model": "nope", "prompt": "x"}, 404, "model 'nope' not found", id="unknown, generate"),
        pytest.param(EMBED, {"model": "nope", "input": "x"}, 404, 'model "nope" not found, try pulling it first', id="unknown, embed"),
        pytest.param(CHAT, {"model": "coder", "messages": M, "tools": TOOLS}, 400, "registry.ollama.ai/library/coder:latest does not support tools", id="no tools"),
        pytest.param(CHAT, {"model": "embed", "messages": M}, 400, '"embed" does not support chat', id="no chat"),
        pytest.param(GENERATE, {"model": "embed", "prompt": "x"}, 400, '"embed" does not support generate', id="no generate"),
        pytest.param(CHAT, {"model": "coder", "messages": M, "think": True}, 400, '"coder" does not support thinking', id="no thinking"),
        pytest.param(CHAT, {"model": "coder", "messages": M, "options": {"num_ctx": "big"}}, 500, 'option "num_ctx" must be of type integer', id="option of a wrong type"),
        pytest.param(CHAT, {"model": "coder", "messages": M, "logprobs": True, "top_logprobs": 99}, 400, "top_logprobs must be between 0 and 20", id="too many logprobs"),
    ],
)  # fmt: skip
async def test_refusals(server: Talk, path: str, body: Any, status: int, error: str) -> None:
    said = await server.ask(path, body, method="POST")
    assert (said.status, said.error) == (status, error)
    assert said.kind == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("matter", "path", "body"),
    [
        ("no object", CHAT, "[]"),
        ("invalid name", CHAT, {"model": "a b!", "messages": M}),
        ("unknown model, show", SHOW, {"model": "nope"}),
        ("cloud model", CHAT, {"model": "x:cloud", "messages": M}),
        ("local suffix", CHAT, {"model": "coder:local", "messages": M, "stream": False}),
    ],
)
async def test_refusals_that_differ_by_version(server: Talk, matter: str, path: str, body: Any) -> None:
    said = await server.ask(path, body)
    assert (said.status, said.error) == of(matter, server.line)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("model", 7, "number into Go struct field {}model of type string"),
        ("messages.content", None, "array into Go struct field {}messages.content of type string"),
    ],
)
async def test_a_field_of_a_wrong_type_is_named(server: Talk, field: str, value: Any, told: str) -> None:
    body = {"model": 7} if field == "model" else {"model": "coder", "messages": [{"role": "user", "content": [{"type": "text"}]}]}
    said = await server.ask(CHAT, body)
    assert (said.status, said.error) == (400, "json: cannot unmarshal " + told.format(of("struct prefix of what is misspelt", server.line)))


@pytest.mark.parametrize("messages", [[{"role": "wizard", "content": "x"}], [{"role": "user", "content": None}]])
async def test_odd_messages_are_served(server: Talk, messages: Any) -> None:
    said = await server.chat("coder", messages, stream=False)
    assert (said.status, said.data["done_reason"]) == (200, "stop")


@pytest.mark.parametrize("keep_alive", ["abc", True])
async def test_a_keep_alive_that_is_none(server: Talk, keep_alive: Any) -> None:
    said = await server.load("coder", keep_alive=keep_alive)
    assert said.status == 400
    assert said.error


async def test_a_chat_model_asked_to_embed(server: Talk) -> None:
    said = await server.ask(EMBED, {"model": "coder", "input": "x"})
    assert said.status == of("embed with a chat model", server.line)
    if said.status != 200:
        assert said.error.startswith("This server does not support embeddings.")


async def test_a_format_that_is_none(server: Talk) -> None:
    said = await server.chat("coder", stream=False, format="xml")
    assert said.status == 500
    assert said.error.startswith("invalid format: ")
    said = await server.chat("coder", stream=False, format={"type": "nonsense"})
    status, error = of("schema that is none", server.line)
    assert said.status == status
    assert error in said.error


async def test_another_hosts_name_is_refused(server: Talk) -> None:
    said = await server.ask("/api/tags", Host="evil.example.com")
    assert (said.status, said.text) == (403, "")
