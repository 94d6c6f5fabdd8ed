"""What clients ask besides chats: raw prompts, probabilities, completions of texts; models made, copied, pushed, deleted."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.live.cast import text
from tests.live.peers import Said, Talk
from tests.live.versions import of


async def test_a_raw_prompt_has_no_context(server: Talk) -> None:
    said = (await server.ask("/api/generate", {"model": "coder", "prompt": "p", "raw": True, "stream": False})).data
    assert said["response"] == text("coder")
    assert "context" not in said


@pytest.mark.parametrize(
    "more", [{"system": "s"}, {"template": "{{ .Prompt }}"}, {"context": [1, 2]}], ids=["system", "template", "context"]
)
async def test_what_does_not_go_with_a_raw_prompt(server: Talk, more: object) -> None:
    said = await server.ask("/api/generate", {"model": "coder", "prompt": "p", "raw": True, **dict(more)})  # type: ignore[call-overload]
    assert (said.status, said.error) == (400, "raw mode does not support template, system, or context")


async def test_a_template_that_is_not_closed(server: Talk) -> None:
    said = await server.ask("/api/generate", {"model": "coder", "prompt": "p", "template": "{{ .Prompt "})
    assert (said.status, said.error) == (500, "template: :1: unclosed action")


def _is_sure(row: object) -> bool:
    found = dict(row)  # type: ignore[call-overload]
    return found["logprob"] <= 0 and bytes(found["bytes"]).decode("utf-8", "replace") == found["token"]


@pytest.mark.parametrize("stream", [True, False])
async def test_each_token_with_its_probability(server: Talk, stream: bool) -> None:
    said = await server.chat("coder", stream=stream, logprobs=True, top_logprobs=1)
    rows = [row for line in said.lines for row in line.get("logprobs", ())]
    assert "".join(row["token"] for row in rows) == said.joined() == text("coder")
    assert all(_is_sure(row) and row["top_logprobs"][0]["token"] == row["token"] for row in rows)
    assert all(len(line["logprobs"]) == 1 for line in said.lines[:-1])
    without = await server.chat("coder", stream=False, top_logprobs=1)
    assert "logprobs" not in without.data


async def test_too_many_others(server: Talk) -> None:
    for path, asked in (("/api/chat", {"messages": [{"role": "user", "content": "x"}]}), ("/api/generate", {"prompt": "x"})):
        said = await server.ask(path, {"model": "coder", "top_logprobs": 21, **asked})
        assert (said.status, said.error) == (400, "top_logprobs must be between 0 and 20")


async def test_probabilities_under_v1(server: Talk) -> None:
    body = {"model": "coder", "messages": [{"role": "user", "content": "x"}], "logprobs": True, "top_logprobs": 1}
    [choice] = (await server.ask("/v1/chat/completions", body)).data["choices"]
    assert "".join(row["token"] for row in choice["logprobs"]["content"]) == text("coder")


# ---------------------------------------------------------------- completions of a text


async def test_a_completion_of_a_text(server: Talk) -> None:
    said = await server.ask("/v1/completions", {"model": "coder", "prompt": "p", "stop": "```"})
    assert (said.status, said.kind) == (200, "application/json")
    assert said.data["choices"] == [{"text": text("coder").partition("```")[0], "index": 0, "finish_reason": "stop"}]
    assert (said.data["object"], said.data["id"].partition("-")[0]) == ("text_completion", "cmpl")
    assert (await server.ask("/v1/completions", {"model": "coder"})).data["choices"] == [{"text": "", "index": 0, "finish_reason": "load"}]


async def test_a_completion_comes_in_events(server: Talk) -> None:
    said = await server.ask("/v1/completions", {"model": "coder", "prompt": "p", "stream": True, "stream_options": {"include_usage": True}})
    *events, end = [line.removeprefix("data: ") for line in said.text.splitlines() if line]
    assert (said.kind, end) == ("text/event-stream", "[DONE]")
    parts = [json.loads(event) for event in events]
    assert "".join(choice["text"] for part in parts for choice in part["choices"]) == text("coder")
    assert [bool(part["usage"]["total_tokens"]) for part in parts] == [False] * (len(parts) - 1) + [True]


async def test_refused_completions(server: Talk) -> None:
    unread = await server.ask("/v1/completions", {"model": "coder", "prompt": ["p"]})
    assert (unread.status, unread.kind) == (400, "application/json; charset=utf-8")
    assert unread.data["error"]["type"] == "invalid_request_error"
    suffix = await server.ask("/v1/completions", {"model": "coder", "prompt": "p", "suffix": "s"})
    assert (suffix.status, suffix.error) == (400, "registry.ollama.ai/library/coder:latest does not support insert")
    assert suffix.data["error"]["type"] == of("refused under /v1", server.line)


# ---------------------------------------------------------------- models


async def test_a_model_is_made_copied_and_deleted(server: Talk) -> None:
    made = await server.ask("/api/create", {"model": "made", "from": "coder", "system": "Be kind.", "parameters": {"num_ctx": 1024}})
    assert (made.status, made.kind) == (200, "application/x-ndjson")
    assert [line["status"] for line in made.lines[-2:]] == ["writing manifest", "success"]
    assert made.lines[0]["status"].startswith("using existing layer sha256:")
    card = (await server.ask("/api/show", {"model": "made"})).data
    assert card["system"] == "Be kind."
    assert "num_ctx                        1024" in card["parameters"].splitlines()
    shown = (await server.chat("made", "x", _debug_render_only=True)).data["_debug_info"]["rendered_template"]
    assert shown.startswith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nx")
    assert _empty(await server.ask("/api/copy", {"source": "made", "destination": "copied"}))
    assert (await server.chat("copied", stream=False)).joined() == text("coder")
    for name in ("made", "copied"):
        assert _empty(await server.ask("/api/delete", {"model": name}, method="DELETE"))
        assert (await server.chat(name)).status == 404


def _empty(said: Said) -> bool:
    return (said.status, said.text) == (200, "")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/api/create", {}, 400, "invalid model name"),
        ("POST", "/api/create", {"model": "x"}, 400, "neither 'from' or 'files' was specified"),
        ("POST", "/api/create", {"model": "x", "from": "nope"}, 200, "pull model manifest: "),
        ("POST", "/api/create", {"model": "x", "from": "nope", "stream": False}, 500, "pull model manifest: "),
        ("POST", "/api/create", {"model": "x", "files": {"a.gguf": "sha256:" + "0" * 64}}, 200, "no such file or directory"),
        ("POST", "/api/push", {}, 400, "model is required"),
        (
            "POST",
            "/api/push",
            {"model": "x/nope", "stream": False},
            500,
            "manifests/registry.ollama.ai/x/nope/latest: no such file or directory",
        ),
        ("POST", "/api/copy", {}, 400, 'source "" is invalid'),
        ("POST", "/api/copy", {"source": "coder", "destination": "a b"}, 400, 'destination "a b" is invalid'),
        ("DELETE", "/api/delete", {"model": "a b"}, 400, 'name "a b" is invalid'),
        ("DELETE", "/api/delete", {"model": "nope"}, 404, "model 'nope' not found"),
    ],
)
async def test_models_that_cannot_be_made_or_sent(server: Talk, method: str, path: str, body: object, status: int, error: str) -> None:
    said = await server.ask(path, body, method=method)
    assert said.status == status
    assert error in said.error


async def test_deleting_what_has_no_name(server: Talk) -> None:
    assert (await server.ask("/api/delete", {}, method="DELETE")).error == of("deleting nothing", server.line)


async def test_blobs(server: Talk) -> None:
    weights = f"not weights, for {server.url}".encode()
    digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
    path = f"/api/blobs/{digest}"
    assert (await server.ask(path, method="HEAD")).status == 404
    assert (await server.ask("/api/blobs/zz", method="HEAD")).status == 400
    assert [(await server.ask(path, weights)).status for _ in range(2)] == [201, 200]
    assert (await server.ask(path, method="HEAD")).status == 200
    assert (await server.ask("/api/blobs/sha256:" + "1" * 64, weights)).error.startswith("digest mismatch, expected ")
    assert (await server.ask(path)).status == 405
    made = await server.ask("/api/create", {"model": "x", "files": {"a.gguf": digest}})
    assert (made.status, made.lines[0]) == (200, {"status": "parsing GGUF"})
    assert made.error
