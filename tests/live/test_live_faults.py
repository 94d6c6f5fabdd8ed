"""What goes wrong: clients that leave, engines that die, models that repeat themselves or break their letters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.live.cast import scripts
from tests.live.peers import Talk
from tests.live.versions import of

ENDLESS = {"num_predict": 20000, "num_ctx": 2048}
SHORT = {"num_predict": 5, "num_ctx": 2048}
CRASH = "an error was encountered while running the model: unexpected EOF"


@pytest.mark.parametrize("stream", [True, False])
async def test_when_a_client_leaves_the_next_is_served_at_once(server: Talk, stream: bool) -> None:
    await server.load("looper", options={"num_ctx": 2048})
    async with server.leaving("looper", stream=stream, options=ENDLESS) as first:
        await (first.wait() if stream else asyncio.sleep(0.2))
    async with asyncio.timeout(3):
        said = await server.chat("looper", stream=False, options=SHORT)
    assert (said.status, said.data["eval_count"]) == (200, 5)


async def test_a_load_ends_when_its_client_leaves(cold: Talk) -> None:
    async with cold.leaving("heavy-a") as first:
        await asyncio.sleep(0.15)
        assert not first.is_set(), "the model was loaded too soon"
    assert await cold.until(lambda: not cold.peer.engines())
    await asyncio.sleep(0.7)
    assert await cold.ps() == {}
    assert (await cold.chat("coder", stream=False)).status == 200


async def test_an_engine_dies_in_the_middle_of_a_stream(server: Talk) -> None:
    await server.load("looper", options={"num_ctx": 2048})
    said = await server.chat("looper", each=server.peer.crash(5), options=ENDLESS)
    assert (said.status, said.error, said.broken) == (200, CRASH, "")
    assert not any(line.get("done") for line in said.lines)
    assert len(said.lines) > 4
    assert (await server.chat("looper", stream=False, options=SHORT)).status == 200


async def test_an_engine_dies_before_an_answer_that_comes_whole(server: Talk) -> None:
    await server.load("looper", options={"num_ctx": 2048})
    kill: Callable[[int], None] = server.peer.crash(1)
    task = asyncio.create_task(server.chat("looper", stream=False, options={**ENDLESS, "num_predict": 6000}))
    await asyncio.sleep(0.2)
    kill(1)
    said = await task
    assert (said.status, said.error) == (500, CRASH)


async def test_an_engine_that_died_idle_is_loaded_again(server: Talk) -> None:
    await server.load("looper", options={"num_ctx": 2048})
    if not await server.peer.crash_idle():
        pytest.skip("an idle engine of the rehearsal host cannot die")
    assert "looper" in await server.ps()
    said = await server.chat("looper", stream=False, options=SHORT)
    assert (said.status, said.data["eval_count"]) == (200, 5)


async def test_an_engine_dies_in_a_stream_of_v1(server: Talk) -> None:
    await server.load("looper", options={"num_ctx": 2048})
    ask = {"model": "looper", "messages": [{"role": "user", "content": "go"}], "stream": True, "max_tokens": 20000}
    said = await server.ask("/v1/chat/completions", ask, each=server.peer.crash(8))
    events = [json.loads(line.removeprefix("data: ")) for line in said.text.splitlines() if line.startswith("data: {")]
    assert "[DONE]" not in said.text
    assert events[-1]["model"] == ""


# ---------------------------------------------------------------- odd words


@pytest.mark.parametrize(("asked", "matter"), [("repeat", "repeats"), ("repeat-long", "long repeats")])
async def test_a_model_that_repeats_itself_is_stopped(server: Talk, asked: str, matter: str) -> None:
    expected = of(matter, server.line)
    said = await server.chat("faulty", asked, options={"repeat_penalty": 1.0})
    assert said.status == 200
    if expected == "whole":
        assert said.last["done_reason"] == "stop"
        assert said.joined().endswith("and it ends.")
    else:
        assert not said.last.get("done")
        assert said.error == expected
        assert not said.joined().endswith("and it ends.")


async def test_other_signs_than_ours_arrive_whole(server: Talk) -> None:
    said = await server.chat("reasoner")
    assert said.joined() == scripts("reasoner")["*"]
    assert "完了" in said.joined()
