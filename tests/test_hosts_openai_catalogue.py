"""Models, windows and vectors of OpenAI-shaped servers, each told in its own way."""

from __future__ import annotations

import base64
import json
from array import array
from typing import Any

import pytest

from mmos.errors import BadRequest, HostError, LacksEmbedding, ProtocolFault, Unauthorized
from mmos.hosts.face import ChatRequest, Installed, Timeouts
from tests.openai_wire import HELLO, finished, opened, sent
from tests.wire import Script, answer

NOT_FOUND = answer({"error": {"message": "File Not Found", "code": 404}}, 404)
TOOLS, TEXT, SIGHT = frozenset({"completion", "tools"}), frozenset({"completion"}), frozenset({"vision"})


@pytest.mark.parametrize(
    ("row", "window", "capabilities"),
    [
        ({"object": "model", "owned_by": "library"}, None, None),
        ({"owned_by": "vllm", "max_model_len": 4096, "root": "m"}, 4096, None),
        ({"context_length": 8192, "supported_parameters": ["tools", "seed"]}, 8192, TOOLS),
        ({"context_length": 8192, "supported_parameters": ["seed"]}, 8192, TEXT),
        ({"context_window": 131072, "owned_by": "groq"}, 131072, None),
        ({"max_context_length": 32768, "capabilities": {"function_calling": True, "vision": False}}, 32768, TOOLS),
        ({"max_context_length": 32768, "capabilities": {"function_calling": False}}, 32768, TEXT),
        ({"capabilities": {"function_calling": False, "vision": True}}, None, TEXT | SIGHT),
        ({"supported_parameters": ["tools"], "architecture": {"input_modalities": ["text", "image"]}}, None, TOOLS | SIGHT),
        ({"type": "vlm", "capabilities": ["tool_use"]}, None, TOOLS | SIGHT),
        ({"parameters": {"max_seq_len": 2048}}, 2048, None),
        ({"parameters": None, "meta": None, "max_model_len": "many"}, None, None),
        ({"max_model_len": True, "context_length": 0}, None, None),
    ],
)
async def test_windows_and_capabilities_under_their_names(row: dict[str, Any], window: int | None, capabilities: Any) -> None:
    async with opened(answer({"object": "list", "data": [{"id": "m", **row}]})) as (host, wire):
        assert await host.tags() == [Installed("m", context_length=window, capabilities=capabilities)]
    assert [request.path for request in wire.requests] == ["/v1/models"]


@pytest.mark.parametrize(
    ("props", "window", "capabilities"),
    [
        (answer({"default_generation_settings": {"n_ctx": 2048}, "chat_template": "{% if tools %}"}), 2048, TOOLS),
        (answer({"default_generation_settings": {"n_ctx": 2048}, "chat_template": "{{ messages }}"}), 2048, TEXT),
        (answer({"default_generation_settings": {"n_ctx": 2048}, "chat_template_caps": {"supports_tools": False}, "chat_template": "tools"}), 2048, TEXT),
        (answer({"chat_template": "{{ messages }}", "modalities": {"vision": True, "audio": False}}), 8192, TEXT | SIGHT),
        (answer({}), 8192, None),
        (NOT_FOUND, 8192, None),
    ],
)  # fmt: skip
async def test_a_llama_server_says_more_on_a_page_of_its_own(props: Script, window: int, capabilities: Any) -> None:
    meta = {"n_ctx_train": 8192, "size": 98_000_000}
    async with opened(answer({"data": [{"id": "m", "owned_by": "llamacpp", "meta": meta}]}), props) as (host, wire):
        assert await host.tags() == [Installed("m", size=98_000_000, context_length=window, capabilities=capabilities)]
    assert [request.path for request in wire.requests] == ["/v1/models", "/props"]


@pytest.mark.parametrize("own", [True, False])
async def test_an_lm_studio_says_more_on_a_page_of_its_own(own: bool) -> None:
    listed = {"data": [{"id": name, "owned_by": "organization_owner"} for name in ("qwen3", "nomic")]}
    rows = [
        {"id": "qwen3", "type": "llm", "arch": "qwen3", "quantization": "Q4_K_M", "max_context_length": 32768, "loaded_context_length": 4096, "capabilities": ["tool_use"]},
        {"id": "nomic", "type": "embeddings", "max_context_length": 2048},
    ]  # fmt: skip
    async with opened(answer(listed), answer({"data": rows}) if own else NOT_FOUND) as (host, wire):
        found = await host.tags()
    assert wire.requests[1].path == "/api/v0/models"
    assert found == (
        [
            Installed("qwen3", family="qwen3", quantization="Q4_K_M", context_length=4096, capabilities=TOOLS),
            Installed("nomic", context_length=2048, capabilities=frozenset({"embedding"})),
        ]
        if own
        else [Installed("qwen3"), Installed("nomic")]
    )


async def test_a_bare_list_is_a_list() -> None:
    async with opened(answer([{"id": "a"}, {"id": "b"}, {"name": "none"}])) as (host, _):
        assert [model.name for model in await host.tags()] == ["a", "b"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answer({"models": []}), ProtocolFault),
        (answer({"data": ["m"]}), ProtocolFault),
        (answer(b"nothing"), ProtocolFault),
        (answer(b"<html>", kind="text/html"), ProtocolFault),
        (answer({"error": {"message": "Invalid API key"}}, 401), Unauthorized),
        (answer({"error": {"message": "boom"}}), HostError),
        (NOT_FOUND, ProtocolFault),
    ],
)
async def test_models_that_do_not_come(script: Script, kind: type[HostError]) -> None:
    async with opened(script) as (host, _):
        with pytest.raises(kind):
            await host.tags()


# ---------------------------------------------------------------- vectors


def vectors(*rows: tuple[Any, Any], **more: Any) -> Script:
    return answer(
        {"object": "list", "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in rows], **more}
    )


async def test_vectors_come_in_the_order_of_their_texts() -> None:
    async with opened(vectors((1, [0.5, 1.0]), (0, [0.0, 0.25]))) as (host, wire):
        assert await host.embed("m", ["a", "b"], timeouts=Timeouts()) == [[0.0, 0.25], [0.5, 1.0]]
    assert wire.requests[0].path == "/v1/embeddings"
    assert wire.requests[0].json == {"model": "m", "input": ["a", "b"], "encoding_format": "float"}


async def test_packed_vectors_are_read() -> None:
    packed = base64.b64encode(array("f", [0.5, -2.0]).tobytes()).decode()
    async with opened(vectors((0, packed))) as (host, _):
        assert await host.embed("m", ["a"], timeouts=Timeouts()) == [[0.5, -2.0]]


async def test_many_texts_go_in_batches_and_none_in_none() -> None:
    sizes = (32, 32, 6)
    async with opened(*[vectors(*[(place, [float(place)]) for place in range(size)]) for size in sizes]) as (host, wire):
        assert await host.embed("m", [], timeouts=Timeouts()) == []
        assert len(await host.embed("m", [str(number) for number in range(70)], timeouts=Timeouts())) == 70
    assert [len(request.json["input"]) for request in wire.requests] == list(sizes)


async def test_a_server_that_knows_no_encoding_format_is_asked_without() -> None:
    refused = answer({"detail": [{"loc": ["body", "encoding_format"], "msg": "Extra inputs are not permitted"}]}, 422)
    async with opened(refused, vectors((0, [1.0])), vectors((0, [1.0]))) as (host, wire):
        for _ in range(2):
            assert await host.embed("m", ["a"], timeouts=Timeouts()) == [[1.0]]
    assert ["encoding_format" in request.json for request in wire.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (vectors(), ProtocolFault),
        (vectors((0, [1.0]), (0, [2.0])), ProtocolFault),
        (vectors((0, [1.0]), (5, [2.0])), ProtocolFault),
        (vectors((0, [1.0]), (1, None)), ProtocolFault),
        (vectors((0, [1.0]), (1, "no base64!")), ProtocolFault),
        (vectors((0, [1.0]), (1, "AAAA")), ProtocolFault),
        (answer({"data": "none"}), ProtocolFault),
        (answer({"error": {"message": "This server does not support embeddings. Start it with `--embeddings`"}}, 501), LacksEmbedding),
        (answer({"error": {"message": "input is too large"}}, 400), BadRequest),
    ],
)
async def test_vectors_that_do_not_come(script: Script, kind: type[HostError]) -> None:
    async with opened(script) as (host, _):
        with pytest.raises(kind):
            await host.embed("m", ["a", "b"], timeouts=Timeouts())


async def test_a_server_gets_its_own_spelling_of_a_model() -> None:
    listed = answer({"data": [{"id": name} for name in ("Org/Model:4B", "tiny", "TINY")]})
    async with opened(listed, *[sent(finished())] * 5) as (host, wire):
        await host.tags()
        for name in ("org/model:4b", "library/tiny:latest", "TINY", "tiny", "New/Model"):
            await host.chat(ChatRequest(name, HELLO, 4096), timeouts=Timeouts())
    asked = [json.loads(request.body)["model"] for request in wire.requests[1:]]
    assert (asked[0], asked[2:]) == ("Org/Model:4B", ["TINY", "tiny", "New/Model"])
    assert asked[1] in ("tiny", "TINY")
