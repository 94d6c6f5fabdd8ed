"""Stories of mmos over the servers: a task from ask to answer, and what a run makes of what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import open_app
from mmos.errors import HostBusy, LacksTools, ModelMissing, RunnerCrashed, StreamCut, WindowExceeded
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message
from tests.live.cast import text
from tests.live.conftest import Opener
from tests.live.peers import Talk

MERGE = "Merge two sorted lists."


def configuration(url: str, **arbiter: Any) -> Mapping[str, Any]:
    return {
        "orchestration": {
            "servers": {"box": {"url": url}},
            "arbiter": {"model": "arbiter", "server": "box", "context_window": 8192, **arbiter},
            "specialists": {
                "coding": {"model": "coder", "server": "box", "context_window": 4096},
                "reasoning": {"model": "reasoner", "server": "box", "context_window": 4096},
            },
        }
    }


def request(model: str, said: str = "go", num_ctx: int = 2048, **more: Any) -> ChatRequest:
    return ChatRequest(model, (Message("user", said),), num_ctx, **more)


async def test_an_arbiter_consults_two_and_answers(server: Talk, tmp_path: Path) -> None:
    async with open_app(configuration(server.url), state=tmp_path) as app:
        answer = await app.run(MERGE)
    assert (answer.status, answer.text) == ("answered", text("arbiter", "final"))
    document = answer.document()
    assert {(tool["name"], tool["calls"], tool["failed"]) for tool in document["tools"]} == {
        ("consult_coding_specialist", 1, 0),
        ("consult_reasoning_specialist", 1, 0),
    }
    assert {use["model"] for use in document["roles"]} == {"arbiter", "coder", "reasoner"}
    assert document["usage"]["model_calls"] == 4


async def test_the_public_door_is_the_same(server: Talk, tmp_path: Path) -> None:
    async with mmos.open(configuration(server.url), state=tmp_path) as app:
        assert (await app.run(MERGE)).text == text("arbiter", "final")


async def test_in_schema_mode_a_grammar_holds_every_turn(server: Talk, tmp_path: Path) -> None:
    async with open_app(configuration(server.url, model="router", channel="schema"), state=tmp_path) as app:
        answer = await app.run(MERGE)
    assert (answer.status, answer.text) == ("answered", "Held to a grammar, both specialists agree.")
    assert sum(tool["calls"] for tool in answer.document()["tools"]) == 2
    assert answer.document()["repairs"] == []


async def test_models_that_do_not_fit_together_take_turns(open_server: Opener, tmp_path: Path) -> None:
    async with open_server(max_loaded=1) as server, open_app(configuration(server.url), state=tmp_path) as app:
        async with asyncio.timeout(30):
            answer = await app.run(MERGE)
    assert (answer.status, answer.text) == ("answered", text("arbiter", "final"))


async def test_many_runs_at_a_host_of_one_slot(open_server: Opener, tmp_path: Path) -> None:
    async with open_server(parallel=1) as server, open_app(configuration(server.url), state=tmp_path) as app:
        async with asyncio.timeout(40):
            answers = await asyncio.gather(*(app.run(f"{MERGE} ({number})") for number in range(5)))
    assert [answer.text for answer in answers] == [text("arbiter", "final")] * 5


async def test_a_run_that_is_cancelled_frees_its_host(cold: Talk, tmp_path: Path) -> None:
    server, config = cold, configuration(cold.url, model="looper", channel="schema")
    async with open_app(config, state=tmp_path) as app:
        run = asyncio.create_task(app.run(MERGE))
        assert await server.until_held("looper")
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    async with asyncio.timeout(5):
        assert (await server.chat("looper", stream=False, options={"num_predict": 5, "num_ctx": 8192})).status == 200


async def test_a_model_that_is_not_there_is_said(server: Talk, tmp_path: Path) -> None:
    async with open_app(configuration(server.url, model="nobody"), state=tmp_path) as app:
        answer = await app.run(MERGE)
    assert answer.status == "failed"
    assert answer.reason is not None
    assert "nobody" in answer.reason.message


# ---------------------------------------------------------------- one host


async def test_a_host_answers_in_our_words(server: Talk) -> None:
    host = OllamaHost("box", server.url)
    heard: list[str] = []
    try:
        reply = await host.chat(request("reasoner", cold=True), timeouts=Timeouts(), on_token=heard.append)
        assert reply.message.content == "".join(heard) == text("reasoner")
        assert {"arbiter:latest", "coder:latest"} <= {model.name for model in await host.tags()}
        assert (await host.show("thinker")).capabilities == {"completion", "tools", "thinking"}
        assert (await host.show("thinker")).context_length == 32768
        assert await host.preload("coder", num_ctx=2048, timeouts=Timeouts()) > 0
        assert "coder:latest" in {loaded.name for loaded in await host.ps()}
        await host.unload("coder")
        assert "coder:latest" not in {loaded.name for loaded in await host.ps()}
        assert len(await host.embed("embed", ["a", "b"], timeouts=Timeouts())) == 2
    finally:
        await host.close()


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (request("nope"), ModelMissing),
        (request("coder", tools=b'[{"type":"function","function":{"name":"t","parameters":{"type":"object"}}}]'), LacksTools),
        (request("coder", "w " * 1500, 512), WindowExceeded),
    ],
    ids=["missing", "no tools", "too long"],
)
async def test_refusals_are_typed(server: Talk, asked: ChatRequest, fault: type[mmos.HostError]) -> None:
    host = OllamaHost("box", server.url)
    try:
        with pytest.raises(fault):
            await host.chat(asked, timeouts=Timeouts())
    finally:
        await host.close()


async def test_a_crash_is_typed_and_keeps_what_had_come(server: Talk) -> None:
    host = OllamaHost("box", server.url)
    await server.load("looper", options={"num_ctx": 2048})
    kill, heard = server.peer.crash(5), []

    def listen(piece: str) -> None:
        heard.append(piece)
        kill(len(heard))

    try:
        with pytest.raises((RunnerCrashed, StreamCut)) as caught:
            await host.chat(request("looper", options={"num_predict": 20000}), timeouts=Timeouts(), on_token=listen)
        assert caught.value.partial == "".join(heard)
        assert caught.value.partial
    finally:
        await host.close()


async def test_a_full_queue_is_typed(open_server: Opener) -> None:
    async with open_server(max_loaded=1, max_queue=1, parallel=1) as server:
        host = OllamaHost("box", server.url)
        await server.load("looper", options={"num_ctx": 2048})
        async with server.leaving("looper", options={"num_predict": 20000, "num_ctx": 2048}) as first:
            await first.wait()
            async with server.leaving("coder"):
                await asyncio.sleep(0.1)
                async with server.leaving("reasoner"):
                    await asyncio.sleep(0.1)
                    with pytest.raises(HostBusy):
                        await host.chat(request("arbiter"), timeouts=Timeouts())
        await host.close()
