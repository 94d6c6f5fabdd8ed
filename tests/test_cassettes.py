"""Plays recorded responses of a real Ollama to our hosts. MMOS_RECORD=1 records them anew."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vcr
from real_ollama import server as real

from mmos.errors import LacksChat, LacksThinking, LacksTools, ModelMissing, WindowExceeded
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message, Reply
from tests.live.cast import text

CASSETTES = Path(__file__).parent / "cassettes"
RECORDING = bool(os.environ.get("MMOS_RECORD"))
CACHE = real.cache_folder()
PLAYED = "http://recorded:11434"
KEPT_HEADERS = {"content-type"}
ASKED = ("model", "messages", "input", "tools", "format", "think", "keep_alive")
"""The parts of a request that decide its answer; a recording answers no other question."""
CODING, REASONING = "consult_coding_specialist", "consult_reasoning_specialist"
PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = json.dumps(
    [{"type": "function", "function": {"name": name, "description": "Ask.", "parameters": PARAMETERS}} for name in (CODING, REASONING)]
).encode()
SCHEMA = b'{"type":"object","properties":{"tool":{"type":"string"},"args":{"type":"object","properties":{"query":{"type":"string"}}}},"required":["tool","args"]}'


async def ask(host: OllamaHost, model: str, *messages: Message, num_ctx: int = 2048, heard: list[str] | None = None, **more: Any) -> Reply:
    request = ChatRequest(model, messages or (Message("user", "go"),), num_ctx, **more)
    return await host.chat(request, timeouts=Timeouts(), on_token=None if heard is None else heard.append)


# ---------------------------------------------------------------- what was asked, and what has to come of it


async def a_stream(host: OllamaHost) -> None:
    heard: list[str] = []
    reply = await ask(host, "reasoner", heard=heard)
    assert reply.message.content == "".join(heard) == text("reasoner")
    assert len(heard) > 5
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.output_tokens > 5


async def calls_and_results(host: OllamaHost) -> None:
    question = Message("user", "Merge.")
    first = await ask(host, "arbiter", question, tools=TOOLS)
    assert [call.name for call in first.message.calls] == [CODING, REASONING]
    assert first.message.calls[0].arguments == {"query": "Write a Python function that merges two sorted lists."}
    results = [Message("tool", "Thus.", tool_name=call.name, call_id=call.id) for call in first.message.calls]
    second = await ask(host, "arbiter", question, first.message, *results, tools=TOOLS)
    assert (second.message.content, second.message.calls) == (text("arbiter", "final"), ())


async def a_swallowed_call(host: OllamaHost) -> None:
    reply = await ask(host, "quirks", Message("user", "unknown"), tools=TOOLS)
    assert (reply.message.content, reply.message.calls) == ("", ())
    assert reply.usage.output_tokens > 0


async def a_thought(host: OllamaHost) -> None:
    reply = await ask(host, "thinker", Message("user", "2+2?"), think=True)
    assert "four" in reply.message.thinking
    assert reply.message.content.strip() == "The answer is 4."


async def a_form(host: OllamaHost) -> None:
    reply = await ask(host, "arbiter", Message("system", "ROUTE"), Message("user", "x"), format=SCHEMA)
    assert json.loads(reply.message.content)["tool"] == CODING


async def an_answer_cut_by_length(host: OllamaHost) -> None:
    assert (await ask(host, "coder", options={"num_predict": 5})).done_reason == "length"


async def refusals(host: OllamaHost) -> None:
    for fault, model, more in (
        (ModelMissing, "nope", {}),
        (LacksTools, "coder", {"tools": TOOLS}),
        (LacksThinking, "coder", {"think": True}),
        (LacksChat, "embed", {}),
        (WindowExceeded, "coder", {"num_ctx": 512}),
    ):
        with pytest.raises(fault):
            await ask(host, model, Message("user", "w " * 600), **more)


async def embeddings(host: OllamaHost) -> None:
    one, other = await host.embed("embed", ["a text", "another"], timeouts=Timeouts())
    assert len(one) == len(other) == 64
    assert one != other


async def what_there_is(host: OllamaHost) -> None:
    assert await host.version()
    assert {"arbiter:latest", "embed:latest"} <= {model.name for model in await host.tags()}
    card = await host.show("thinker")
    assert card.capabilities == {"completion", "tools", "thinking"}
    assert card.context_length == 32768


async def coming_and_going(host: OllamaHost) -> None:
    await host.preload("coder", num_ctx=2048, keep_alive="5m", timeouts=Timeouts())
    [held] = [loaded for loaded in await host.ps() if loaded.name == "coder:latest"]
    assert held.context_length == 2048
    await host.unload("coder")


SCENES: dict[str, Callable[[OllamaHost], Awaitable[None]]] = {
    scene.__name__: scene
    for scene in (
        a_stream, calls_and_results, a_swallowed_call, a_thought, a_form, an_answer_cut_by_length, refusals, embeddings, what_there_is, coming_and_going,
    )
}  # fmt: skip


# ---------------------------------------------------------------- recording and playing


@pytest.fixture(scope="session", params=real.VERSIONS)
def recorded(request: pytest.FixtureRequest) -> Iterator[tuple[str, real.Server | None]]:
    """A version, and while recording a server of it."""
    version = request.param
    if not RECORDING:
        yield version, None
        return
    binary = real.built(version, CACHE)
    assert binary, f"scripts/real-ollama build --version {version}"
    running = real.start(binary)
    real.create(running.url, binary, ["arbiter", "coder", "reasoner", "quirks", "thinker", "embed"])
    yield version, running
    running.stop()


def _question(request: Any) -> Any:
    asked = json.loads(request.body) if request.body else {}
    return {name: asked.get(name) for name in ASKED}


def _same_question(one: Any, other: Any) -> None:
    assert _question(one) == _question(other)


def _recorder(running: real.Server | None) -> vcr.VCR:
    """Keeps what decides the outcome, and neither port nor folder of the machine."""

    def request_kept(request: Any) -> Any:
        if running is not None:
            request.uri = request.uri.replace(running.url, PLAYED)
        request.headers = {}
        return request

    def response_kept(response: Any) -> Any:
        response["headers"] = {name: value for name, value in response["headers"].items() if name.lower() in KEPT_HEADERS}
        if running is not None:
            response["body"]["string"] = response["body"]["string"].replace(str(running.folder).encode(), b"DIR")
        return response

    player = vcr.VCR(
        cassette_library_dir=str(CASSETTES),
        record_mode=vcr.mode.ALL if RECORDING else vcr.mode.NONE,
        before_record_request=request_kept,
        before_record_response=response_kept,
        match_on=("method", "path", "question"),
    )
    player.register_matcher("question", _same_question)
    return player


@pytest.fixture
async def host(recorded: tuple[str, real.Server | None]) -> AsyncIterator[OllamaHost]:
    _, running = recorded
    opened = OllamaHost("box", running.url if running else PLAYED)
    yield opened
    await opened.close()


@pytest.mark.parametrize("scene", SCENES)
async def test_what_a_real_server_said(scene: str, recorded: tuple[str, real.Server | None], host: OllamaHost) -> None:
    version, running = recorded
    cassette = CASSETTES / version / f"{scene}.yaml"
    if RECORDING:
        cassette.unlink(missing_ok=True)
    with _recorder(running).use_cassette(f"{version}/{scene}.yaml") as played:
        await SCENES[scene](host)
        assert RECORDING or played.all_played
    assert cassette.stat().st_size < 40_000
