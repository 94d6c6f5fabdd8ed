"""Models that are made, copied, pushed and deleted, and the blobs that they are made of."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from mmos.rehearsal import Host, serve
from tests.rehearsal_ask import Reply, a_model, ask, chat

ZEROS = "sha256:" + "0" * 64


@pytest.fixture
async def host() -> Any:
    host = Host("h", [a_model("m", parameters={"num_thread": 1})], profile="0.34")
    async with serve(host):
        yield host


async def send(host: Host, path: str, body: Any, method: str = "POST") -> Reply:
    return await ask(host.url, path, body, method)


async def test_a_model_is_made_out_of_another(host: Host) -> None:
    body = {"model": "mine", "from": "m", "system": "Be kind.", "parameters": {"num_ctx": 2048}}
    told = await send(host, "/api/create", body)
    assert (told.status, told.kind) == (200, "application/x-ndjson")
    assert [row["status"].split(" sha256")[0] for row in told.rows] == [
        "using existing layer",
        "creating new layer",
        "writing manifest",
        "success",
    ]
    card = (await send(host, "/api/show", {"model": "mine"})).row
    assert card["system"] == "Be kind."
    assert card["parameters"].split() == ["num_thread", "1", "num_ctx", "2048"]
    shown = (await chat(host.url, "mine", "x", _debug_render_only=True)).row["_debug_info"]["rendered_template"]
    assert shown.startswith("<|im_start|>system\nBe kind.<|im_end|>")
    own = [{"role": "system", "content": "Own."}, {"role": "user", "content": "x"}]
    shown = (await send(host, "/api/chat", {"model": "mine", "messages": own, "_debug_render_only": True})).row["_debug_info"][
        "rendered_template"
    ]
    assert "Be kind." not in shown
    names = [row["name"] for row in (await send(host, "/api/tags", None, "GET")).row["models"]]
    assert names == ["mine:latest", "m:latest"]
    again = await send(host, "/api/create", {"model": "mine", "from": "m", "stream": False})
    assert again.row == {"status": "success"}
    assert len(host.installed) == 2


@pytest.mark.parametrize(
    ("template", "kind", "capabilities"),
    [
        ("{{ .Prompt }}", "plain", ["completion"]),
        ("{{ .Tools }}{{ .Content }}{{ range .ToolCalls }}x{{ end }}", "whole", ["completion", "tools"]),
        ("{{ .Tools }}{{ if .Content }}x{{ else if .ToolCalls }}y{{ end }}", "either", ["completion", "tools"]),
        ("{{ range .Tools }}{{ .Function }}{{ end }}", "structs", ["completion", "tools"]),
    ],
)
async def test_its_template_is_taken_for_one_of_ours(host: Host, template: str, kind: str, capabilities: list[str]) -> None:
    await send(host, "/api/create", {"model": "mine", "from": "m", "template": template})
    made = host.installed["mine:latest"]
    assert (made.template, list(made.capabilities)) == (kind, capabilities)


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/create", {}, 400, "invalid model name"),
        ("/api/create", {"model": "a b", "from": "m"}, 400, "invalid model name"),
        ("/api/create", {"model": "x"}, 400, "neither 'from' or 'files' was specified"),
        ("/api/create", {"model": "x", "from": "nope", "stream": False}, 500, "pull model manifest: file does not exist"),
        ("/api/create", {"model": "x", "files": {"a": ZEROS}, "stream": False}, 500, "no such file or directory"),
        ("/api/create", {"model": "x", "files": {"a": "zz"}}, 200, "invalid digest format"),
        ("/api/push", {}, 400, "model is required"),
        ("/api/push", {"model": "m"}, 200, "/v2/library/m/blobs/sha256:"),
        ("/api/push", {"model": "me/m", "stream": False}, 500, "manifests/registry.ollama.ai/me/m/latest: no such file or directory"),
        ("/api/copy", {}, 400, 'source "" is invalid'),
        ("/api/copy", {"source": "m", "destination": "a b"}, 400, 'destination "a b" is invalid'),
        ("/api/copy", {"source": "nope", "destination": "x"}, 404, 'model "nope" not found'),
    ],
)
async def test_what_is_refused(host: Host, path: str, body: Any, status: int, error: str) -> None:
    told = await send(host, path, body)
    assert told.status == status
    assert error in told.error
    assert list(host.installed) == ["m:latest"]


@pytest.mark.parametrize(("profile", "error"), [("0.13", 'name "" is invalid'), ("0.34", "model is required")])
async def test_deleting_nothing(profile: Any, error: str) -> None:
    async with serve(Host("h", [a_model()], profile=profile)) as url:
        assert (await ask(url, "/api/delete", {}, "DELETE")).error == error
        assert (await ask(url, "/api/delete", {"model": "nope"}, "DELETE")).error == "model 'nope' not found"
        assert (await ask(url, "/api/delete", {"model": "m"}, "DELETE")).status == 200
        assert (await chat(url)).status == 404


async def test_blobs(host: Host) -> None:
    digest = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    assert (await send(host, f"/api/blobs/{digest}", None, "HEAD")).status == 404
    assert (await send(host, "/api/blobs/zz", None, "HEAD")).status == 400
    assert (await send(host, f"/api/blobs/{digest}", b"weights")).status == 201
    assert (await send(host, f"/api/blobs/{digest}", b"weights")).status == 200
    assert (await send(host, f"/api/blobs/{digest}", None, "HEAD")).status == 200
    wrong = await send(host, f"/api/blobs/{ZEROS}", b"weights")
    assert (wrong.status, wrong.error) == (400, f'digest mismatch, expected "{ZEROS}", got "{digest}"')
    assert (await send(host, "/api/blobs/zz", b"x")).error == "invalid digest format"
    assert (await send(host, f"/api/blobs/{digest}", None, "GET")).status == 405
    made = await send(host, "/api/create", {"model": "x", "files": {"m.gguf": digest}})
    assert [row.get("status") for row in made.rows] == ["parsing GGUF", None]
    assert made.error.startswith("rehearsal: models come from personas")
