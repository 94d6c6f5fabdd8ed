"""What a host has, holds and can do, and the life of its models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest

from mmos.errors import (
    BadRequest,
    HostBusy,
    HostError,
    HostFault,
    HostTimeout,
    HostUnreachable,
    LacksEmbedding,
    ModelMissing,
    ProtocolFault,
    StreamCut,
    WindowExceeded,
)
from mmos.hosts.face import Card, Installed, Loaded, Progress, Timeouts
from mmos.hosts.ollama import OllamaHost
from tests.wire import CLOSE, HANG, NDJSON, Script, WireServer, answer, chunk, done, serving, stream


@asynccontextmanager
async def _host(*scripts: Script, **options: Any) -> AsyncIterator[tuple[OllamaHost, WireServer]]:
    async with serving(*scripts) as wire:
        host = OllamaHost("box", wire.url, **options)
        try:
            yield host, wire
        finally:
            await host.close()


class Clock:
    """Goes on by a step each time it is read."""

    def __init__(self, step: float = 1.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


# ---------------------------------------------------------------- what it tells

TAGS = {
    "models": [
        {
            "name": "m:7b", "model": "m:7b", "modified_at": "2026-11-20T21:11:30Z", "size": 4683087332, "digest": "845d",
            "details": {"family": "qwen2", "parameter_size": "7.6B", "quantization_level": "Q4_K_M", "context_length": 32768},
            "capabilities": ["completion", "tools"], "runner": "new",
        },
        {"name": "old:latest"},
        {"model": "big:cloud", "remote_host": "https://ollama.com", "remote_model": "big", "details": None, "capabilities": []},
    ]
}  # fmt: skip
PS = {
    "models": [
        {"name": "m:7b", "size": 5100273664, "size_vram": 5000, "digest": "845d", "context_length": 4096, "expires_at": "2319-01-01T00:00:00Z"},
        {"model": "old:latest"},
    ]
}  # fmt: skip


async def test_version() -> None:
    async with _host(answer({"version": "0.33.0"})) as (host, wire):
        assert await host.version() == "0.33.0"
    assert (wire.requests[0].method, wire.requests[0].path, wire.requests[0].body) == ("GET", "/api/version", b"")


async def test_tags_of_new_and_old_hosts() -> None:
    async with _host(answer(TAGS)) as (host, wire):
        assert await host.tags() == [
            Installed("m:7b", "845d", 4683087332, "qwen2", "7.6B", "Q4_K_M", 32768, frozenset({"completion", "tools"})),
            Installed("old:latest"),
            Installed("big:cloud", capabilities=frozenset(), remote=True),
        ]
    assert wire.requests[0].path == "/api/tags"


async def test_what_is_loaded() -> None:
    async with _host(answer(PS)) as (host, wire):
        assert await host.ps() == [
            Loaded("m:7b", "845d", 5100273664, 5000, 4096, "2319-01-01T00:00:00Z"),
            Loaded("old:latest"),
        ]
    assert wire.requests[0].path == "/api/ps"


@pytest.mark.parametrize("body", [{"models": []}, {"models": None}])
async def test_nothing_is_a_list_of_nothing(body: dict[str, Any]) -> None:
    async with _host(answer(body), answer(body)) as (host, _):
        assert await host.tags() == []
        assert await host.ps() == []


async def test_show() -> None:
    info = {"general.architecture": "qwen2", "qwen2.context_length": 32768, "qwen2.block_count": 28}
    shown = {
        "template": "{{ .Prompt }}", "details": {"family": "qwen2", "parameter_size": "7.6B", "quantization_level": "Q4_K_M"},
        "model_info": info, "capabilities": ["completion", "tools"], "license": "…",
    }  # fmt: skip
    async with _host(answer(shown), answer({})) as (host, wire):
        card = await host.show("m:7b")
        bare = await host.show("m:7b")
    assert card == Card("m:7b", frozenset({"completion", "tools"}), 32768, "qwen2", "7.6B", "Q4_K_M", "{{ .Prompt }}", info)
    assert bare == Card("m:7b")
    assert wire.requests[0].json == {"model": "m:7b"}


@pytest.mark.parametrize(
    "script",
    [
        answer(b"<html>hi</html>", kind="text/html"),
        answer(b"Ollama is running", kind="text/plain"),
        answer(b"{nope"),
        answer([1, 2]),
        answer({}),
        answer({"models": "many"}),
        answer({"models": ["m"]}),
        answer(b"404 page not found", 404, kind="text/plain"),
    ],
)
async def test_what_is_no_ollama_is_not_understood(script: Script) -> None:
    async with _host(script) as (host, _):
        with pytest.raises(ProtocolFault) as caught:
            await host.tags()
    assert host.url in str(caught.value)


async def test_a_version_that_is_none() -> None:
    async with _host(answer({"name": "vllm"})) as (host, _):
        with pytest.raises(ProtocolFault, match="version"):
            await host.version()


async def test_an_answer_that_breaks_off_is_a_cut() -> None:
    broken = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"models":['
    async with _host([broken, CLOSE]) as (host, _):
        with pytest.raises(StreamCut):
            await host.tags()


async def test_nothing_listens_there() -> None:
    async with serving() as wire:
        url = wire.url
    host = OllamaHost("box", url)
    with pytest.raises(HostUnreachable):
        await host.version()
    await host.close()


async def test_all_questions_share_the_connection_of_the_chat() -> None:
    async with _host(answer({"version": "1"}), answer(TAGS), answer(PS), answer({}), answer({"embeddings": [[1.0]]})) as (host, wire):
        await host.version()
        await host.tags()
        await host.ps()
        await host.show("m")
        await host.embed("e", ["x"], timeouts=Timeouts())
    assert wire.connections == 1


# ---------------------------------------------------------------- embeddings


async def test_embeddings_go_in_batches_and_keep_their_order() -> None:
    texts = [f"text {number}" for number in range(70)]
    vectors = [[float(number), 0.5] for number in range(70)]
    batches = [answer({"model": "e", "embeddings": vectors[start : start + 32]}) for start in (0, 32, 64)]
    async with _host(*batches) as (host, wire):
        assert await host.embed("e", texts, timeouts=Timeouts()) == vectors
    sent = [request.json for request in wire.requests]
    assert [len(one["input"]) for one in sent] == [32, 32, 6]
    assert [text for one in sent for text in one["input"]] == texts
    assert all(one["truncate"] is False and one["model"] == "e" for one in sent)


async def test_no_texts_need_no_call() -> None:
    async with _host() as (host, wire):
        assert await host.embed("e", [], timeouts=Timeouts()) == []
    assert wire.requests == []


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answer({"embeddings": [[1.0]]}), ProtocolFault),
        (answer({"embedding": [1.0]}), ProtocolFault),
        (answer({"error": 'model "e" not found, try pulling it first'}, 404), ModelMissing),
        (answer({"error": "the input length exceeds the context length"}, 400), WindowExceeded),
        (answer({"error": "This server does not support embeddings. Start it with `--embeddings`"}, 501), LacksEmbedding),
        (answer({"error": "invalid input type"}, 400), BadRequest),
    ],
)
async def test_embeddings_that_do_not_come(script: Script, kind: type[HostError]) -> None:
    async with _host(script) as (host, _):
        with pytest.raises(kind) as caught:
            await host.embed("e", ["a", "b"], timeouts=Timeouts())
    assert caught.value.model == "e"


async def test_embeddings_that_take_too_long() -> None:
    async with _host([HANG]) as (host, wire):
        with pytest.raises(HostTimeout) as caught:
            await host.embed("e", ["a"], timeouts=Timeouts(first_byte=0.03, load=0.03))
        await wire.left.wait()
    assert caught.value.stage == "first_byte"


# ---------------------------------------------------------------- load and unload

LOADED = done(reason="load").rstrip()
UNLOADED = done(reason="unload").rstrip()


async def test_preload_loads_in_the_window_of_the_calls_and_takes_the_time() -> None:
    async with _host(answer(LOADED), answer(LOADED), clock=Clock()) as (host, wire):
        assert await host.preload("m", num_ctx=8192, keep_alive="1h", timeouts=Timeouts()) == 1.0
        await host.preload("m", num_ctx=8192, timeouts=Timeouts())
    first, second = wire.requests
    assert first.path == "/api/chat"
    assert first.json == {"model": "m", "messages": [], "stream": False, "options": {"num_ctx": 8192}, "keep_alive": "1h"}
    assert "keep_alive" not in second.json


async def test_preload_of_an_embedding_model() -> None:
    refusal = answer({"error": '"e" does not support chat'}, 400)
    async with _host(refusal, answer({"model": "e", "embeddings": []})) as (host, wire):
        await host.preload("e", num_ctx=2048, keep_alive=-1, timeouts=Timeouts())
    assert wire.requests[1].path == "/api/embed"
    sent = wire.requests[1].json
    assert (sent["input"], sent["options"], sent["keep_alive"]) == ([], {"num_ctx": 2048}, -1)


async def test_preload_waits_for_the_load_and_not_for_ever() -> None:
    async with _host([HANG]) as (host, wire):
        with pytest.raises(HostTimeout):
            await host.preload("m", num_ctx=2048, timeouts=Timeouts(first_byte=0.03, load=0.03))
        await wire.left.wait()


async def test_unload_returns_when_the_model_is_gone() -> None:
    held, others = {"models": [{"name": "M:latest"}]}, {"models": [{"name": "other:latest"}]}
    async with _host(answer(UNLOADED), answer(held), answer(held), answer(others)) as (host, wire):
        await host.unload("m")
    assert [request.path for request in wire.requests] == ["/api/generate", "/api/ps", "/api/ps", "/api/ps"]
    assert wire.requests[0].json == {"model": "m", "keep_alive": 0, "stream": False}


async def test_unload_does_not_wait_for_ever() -> None:
    held = answer({"models": [{"name": "m:latest"}]})
    async with _host(answer(UNLOADED), held, held, held, held, clock=Clock(12.0)) as (host, _):
        with pytest.raises(HostTimeout, match="did not unload m") as caught:
            await host.unload("m")
    assert caught.value.stage == "unload"


async def test_unload_of_a_model_that_is_not_there() -> None:
    async with _host(answer({"error": "model 'm' not found"}, 404)) as (host, _):
        with pytest.raises(ModelMissing):
            await host.unload("m")


# ---------------------------------------------------------------- pull


def _steps(*steps: dict[str, Any]) -> Script:
    return stream(*(json.dumps(step).encode() + b"\n" for step in steps))


async def test_a_pull_tells_how_far_it_is() -> None:
    steps = _steps(
        {"status": "pulling manifest"},
        {"status": "pulling 00c39ebb132c", "digest": "sha256:00", "total": 100, "completed": 40},
        {"status": "pulling 00c39ebb132c", "digest": "sha256:00", "total": 100, "completed": 100},
        {"status": "verifying sha256 digest"},
        {"status": "success"},
    )
    async with _host(steps) as (host, wire):
        assert [step async for step in host.pull("m:7b")] == [
            Progress("pulling manifest"),
            Progress("pulling 00c39ebb132c", 40, 100),
            Progress("pulling 00c39ebb132c", 100, 100),
            Progress("verifying sha256 digest"),
            Progress("success"),
        ]
    assert wire.requests[0].path == "/api/pull"
    assert (wire.requests[0].json["model"], wire.requests[0].json["stream"]) == ("m:7b", True)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (_steps({"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}), ModelMissing, "registry"),
        (_steps({"error": 'pull model manifest: Get "https://r/": dial tcp: lookup r: no such host'}), HostFault, "no such host"),
        (_steps({"error": "write /blobs/x: no space left on device"}), HostFault, "no space left"),
        (_steps({"status": "pulling manifest"}), StreamCut, "without success"),
        ([NDJSON, chunk(b'{"status":"pulling manifest"}\n'), CLOSE], StreamCut, "not whole"),
        (stream(b"garbage\n"), ProtocolFault, "no progress"),
        (stream(b"[1]\n"), ProtocolFault, "no progress"),
        (answer({"error": "server busy, please try again.  maximum pending requests exceeded"}, 503), HostBusy, "full"),
        (answer({"error": "pull model manifest: 412"}, 500), HostFault, "412"),
        (answer(b"404 page not found", 404, kind="text/plain"), ProtocolFault, "Is it an Ollama?"),
        (answer(b"", 302, Location="http://127.0.0.1:9/"), ProtocolFault, "302"),
    ],
)
async def test_a_pull_that_fails(script: Script, kind: type[HostError], words: str) -> None:
    async with _host(script) as (host, _):
        with pytest.raises(kind, match=words) as caught:
            _ = [step async for step in host.pull("m:7b")]
    assert (caught.value.host, caught.value.model) == ("box", "m:7b")


async def test_a_pull_of_nothing() -> None:
    async with _host() as (host, wire):
        with pytest.raises(BadRequest):
            _ = [step async for step in host.pull("")]
    assert wire.requests == []


async def test_a_pull_from_nobody() -> None:
    async with serving() as wire:
        url = wire.url
    with pytest.raises(HostUnreachable, match="Nothing listens"):
        _ = [step async for step in OllamaHost("box", url).pull("m")]


async def test_a_pull_that_nobody_follows_any_more_is_given_up() -> None:
    step = chunk(b'{"status":"pulling manifest"}\n')
    async with _host([NDJSON, step, step, HANG]) as (host, wire):
        async with aclosing(cast(Any, host.pull("m"))) as steps:
            async for _ in steps:
                break
        await wire.left.wait()


async def test_cancelling_a_pull_closes_its_connection() -> None:
    heard = asyncio.Event()

    async def follow(host: OllamaHost) -> None:
        async for _ in host.pull("m"):
            heard.set()

    async with _host([NDJSON, chunk(b'{"status":"pulling manifest"}\n'), HANG]) as (host, wire):
        task = asyncio.create_task(follow(host))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wire.left.wait()


async def test_a_pull_sends_the_headers_of_the_configuration_and_no_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "s3cret")
    finished = _steps({"status": "success"})
    async with _host(finished) as (host, wire):
        _ = [step async for step in host.pull("m")]
    assert "s3cret" not in str(wire.requests[0].headers)
    async with _host(finished, headers={"Authorization": "Bearer ours"}) as (host, wire):
        _ = [step async for step in host.pull("m")]
    assert wire.requests[0].headers["authorization"] == "Bearer ours"
