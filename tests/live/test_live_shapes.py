"""Routes, shapes and streams, on every server alike."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.live.cast import text
from tests.live.peers import Talk
from tests.live.versions import of

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
JSON, NDJSON, PLAIN = "application/json; charset=utf-8", "application/x-ndjson", "text/plain"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "body"),
    [
        ("GET", "/", 200, "text/plain; charset=utf-8", "Ollama is running"),
        ("HEAD", "/", 200, "text/plain; charset=utf-8", ""),
        ("HEAD", "/api/version", 200, JSON, ""),
        ("HEAD", "/api/tags", 200, JSON, ""),
        ("GET", "/nope", 404, PLAIN, "404 page not found"),
        ("GET", "/api/chat", 405, PLAIN, "405 method not allowed"),
        ("POST", "/api/tags", 405, PLAIN, "405 method not allowed"),
        ("DELETE", "/api/ps", 405, PLAIN, "405 method not allowed"),
    ],
)
async def test_routes(server: Talk, method: str, path: str, status: int, kind: str, body: str) -> None:
    said = await server.ask(path, method=method)
    assert (said.status, said.kind, said.text) == (status, kind, body)


async def test_the_version_is_three_numbers(server: Talk) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", (await server.ask("/api/version")).data["version"])


async def test_tags_list_what_is_installed(server: Talk) -> None:
    entries = (await server.ask("/api/tags")).data["models"]
    assert {"arbiter:latest", "coder:latest", "embed:latest"} <= {entry["name"] for entry in entries}
    for entry in entries:
        assert list(entry) == of("keys of an entry of tags", server.line)
        assert re.fullmatch(r"[0-9a-f]{64}", entry["digest"])
        assert STAMP.fullmatch(entry["modified_at"])
        assert {"format": "gguf", "family": "llama", "families": ["llama"]}.items() <= entry["details"].items()
        assert {"parent_model", "parameter_size", "quantization_level"} <= entry["details"].keys()


@pytest.mark.parametrize(
    ("model", "can"),
    [
        ("coder", {"completion"}),
        ("arbiter", {"completion", "tools"}),
        ("thinker", {"completion", "tools", "thinking"}),
    ],
)
async def test_show_tells_what_a_model_can(server: Talk, model: str, can: set[str]) -> None:
    card = (await server.ask("/api/show", {"model": model})).data
    assert set(card["capabilities"]) == can
    assert {"modelfile", "template", "details", "model_info", "capabilities", "modified_at"} <= card.keys()
    info = card["model_info"]
    assert (info["general.architecture"], info["llama.context_length"]) == ("llama", 32768)
    assert {"llama.block_count", "llama.attention.head_count", "llama.attention.head_count_kv", "llama.embedding_length"} <= info.keys()


async def test_ps_tells_what_is_held(cold: Talk) -> None:
    assert (await cold.ask("/api/ps")).text.strip() == '{"models":[]}'
    await cold.chat("coder", stream=False, options={"num_ctx": 2048})
    [entry] = (await cold.ask("/api/ps")).data["models"]
    assert list(entry) == ["name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"]
    assert (entry["name"], entry["context_length"]) == ("coder:latest", 2048)
    assert STAMP.fullmatch(entry["expires_at"])


@pytest.mark.parametrize("model", ["coder", "reasoner"])
async def test_a_chat_streams_line_by_line(server: Talk, model: str) -> None:
    said = await server.chat(model)
    *pieces, end = said.lines
    assert (said.status, said.kind, said.joined()) == (200, NDJSON, text(model))
    assert len(pieces) > 3
    for piece in pieces:
        assert list(piece) == ["model", "created_at", "message", "done"]
        assert list(piece["message"]) == ["role", "content"]
        assert (piece["model"], piece["message"]["role"], piece["done"]) == (model, "assistant", False)
    assert list(end) == ["model", "created_at", "message", "done", "done_reason", *of("metrics", server.line)]
    assert (end["message"], end["done"], end["done_reason"]) == ({"role": "assistant", "content": ""}, True, "stop")
    assert all(isinstance(end[name], int) for name in of("metrics", server.line))


async def test_a_chat_comes_whole_where_that_is_asked(server: Talk) -> None:
    said = await server.chat("coder", stream=False)
    assert (said.status, said.kind) == (200, JSON)
    assert list(said.data) == ["model", "created_at", "message", "done", "done_reason", *of("metrics", server.line)]
    assert said.data["message"] == {"role": "assistant", "content": text("coder")}
    assert not said.text.endswith("\n")


async def test_durations_are_nanoseconds_that_fit_together(server: Talk) -> None:
    end = (await server.chat("coder", stream=False)).data
    assert end["total_duration"] >= end["load_duration"] + end["eval_duration"] > 0
    assert 1_000_000 < end["total_duration"] < 60_000_000_000
    assert end["prompt_eval_count"] > 0
    assert end["eval_count"] > 3


@pytest.mark.parametrize("stream", [True, False])
async def test_generate(server: Talk, stream: bool) -> None:
    said = await server.ask("/api/generate", {"model": "reasoner", "prompt": "why", "stream": stream})
    assert (said.status, said.joined()) == (200, text("reasoner"))
    assert said.kind == (NDJSON if stream else JSON)
    assert list(said.last) == ["model", "created_at", "response", "done", "done_reason", "context", *of("metrics", server.line)]
    assert all(isinstance(token, int) for token in said.last["context"])


async def test_go_escapes_signs_of_html(server: Talk) -> None:
    said = await server.chat("coder", stream=False)
    assert "\\u003c" in said.text
    assert "<" not in said.text


async def test_num_predict_ends_with_length(server: Talk) -> None:
    said = await server.chat("coder", stream=False, options={"num_predict": 5})
    assert said.data["done_reason"] == "length"
    assert said.data["eval_count"] == 5
    assert text("coder").startswith(said.joined())


async def test_a_stop_sequence_ends_the_text_before_it(server: Talk) -> None:
    said = await server.chat("arbiter", stream=False, options={"stop": ["tools"]})
    assert (said.data["done_reason"], said.joined()) == ("stop", text("arbiter", "plain").partition("tools")[0])


@pytest.mark.parametrize("more", [{"tools": None}, {"tools": []}, {"format": None}, {"format": ""}, {"options": {"no_such": 1}}])
async def test_what_is_empty_or_unknown_changes_nothing(server: Talk, more: dict[str, Any]) -> None:
    said = await server.chat("coder", stream=False, **more)
    assert (said.status, said.joined()) == (200, text("coder"))


async def test_loading_and_unloading_are_said_in_short(server: Talk) -> None:
    loaded = (await server.ask("/api/chat", {"model": "coder", "messages": []})).data
    assert loaded["message"] == {"role": "assistant", "content": ""}
    assert (loaded["done"], loaded["done_reason"]) == (True, "load")
    assert (await server.load("coder")).data["done_reason"] == "load"
    gone = (await server.load("coder", keep_alive=0)).data
    assert list(gone) == ["model", "created_at", "response", "done", "done_reason"]
    assert gone["done_reason"] == "unload"
    assert (await server.ask("/api/chat", {"model": "coder", "messages": [], "keep_alive": 0})).data["done_reason"] == "unload"


# ---------------------------------------------------------------- embeddings


async def test_embeddings_are_normalised_and_repeat(server: Talk) -> None:
    said = (await server.ask("/api/embed", {"model": "embed", "input": ["hello world", "hello there world", "zzz"]})).data
    assert list(said) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-3 for vector in said["embeddings"])
    [again] = (await server.ask("/api/embed", {"model": "embed", "input": "hello world"})).data["embeddings"]
    assert all(abs(a - b) < 1e-5 for a, b in zip(again, said["embeddings"][0], strict=True))
    hello, there, other = said["embeddings"]
    assert _likeness(hello, there) > _likeness(hello, other)


def _likeness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("more", [{"input": []}, {"input": ""}, {}])
async def test_nothing_to_embed_is_no_error(server: Talk, more: dict[str, Any]) -> None:
    said = await server.ask("/api/embed", {"model": "embed", **more})
    assert (said.status, said.data["embeddings"]) == (200, [])


async def test_the_old_route_for_embeddings_gives_one(server: Talk) -> None:
    said = await server.ask("/api/embeddings", {"model": "embed", "prompt": "hello world"})
    assert (said.status, list(said.data)) == (200, ["embedding"])
    assert all(isinstance(x, float) for x in said.data["embedding"])


async def test_a_text_too_long_to_embed(server: Talk) -> None:
    ask = {"model": "embed", "input": "w" * 6000, "options": {"num_ctx": 512}}
    assert (await server.ask("/api/embed", ask)).status == 200
    said = await server.ask("/api/embed", {**ask, "truncate": False})
    assert said.status == 400
    assert "exceed" in said.error


# ---------------------------------------------------------------- the other dialect


async def test_v1_answers_as_openai_does(server: Talk) -> None:
    ask = {"model": "arbiter", "messages": [{"role": "user", "content": "Merge."}]}
    said = (await server.ask("/v1/chat/completions", ask)).data
    assert said["object"] == "chat.completion"
    [choice] = said["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (text("arbiter", "plain"), "stop")
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= said["usage"].keys()


async def test_v1_streams_events(server: Talk) -> None:
    ask = {
        "model": "arbiter",
        "messages": [{"role": "user", "content": "Merge."}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    said = await server.ask("/v1/chat/completions", ask)
    *events, end = [line.removeprefix("data: ") for line in said.text.splitlines() if line]
    assert (said.status, said.kind, end) == (200, "text/event-stream", "[DONE]")
    parts = [json.loads(event) for event in events]
    assert "".join(choice["delta"].get("content") or "" for part in parts for choice in part["choices"]) == text("arbiter", "plain")
    assert parts[-1]["usage"]["completion_tokens"] > 0


async def test_v1_lists_models(server: Talk) -> None:
    said = (await server.ask("/v1/models")).data
    assert said["object"] == "list"
    assert {"id", "object", "created", "owned_by"} <= said["data"][0].keys()


async def test_v1_tells_errors_in_its_own_shape(server: Talk) -> None:
    said = await server.ask("/v1/chat/completions", {"model": "nope", "messages": [{"role": "user", "content": "x"}]})
    assert said.status == 404
    assert said.data["error"]["type"] == of("unknown model on /v1", server.line)
    assert said.error == "model 'nope' not found"
