"""The host's own time and memory: loads, slots, hidden queues, the KV cache, eviction, keep-alive."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from mmos.rehearsal import Host, Model, Speed, serve
from mmos.testing import until
from tests.leaping import leaping, now
from tests.rehearsal_ask import GIB, TINY


def a_model(name: str = "m", *, text: str = "one two three four", size: int = GIB, **speed: float) -> Model:
    figures = {"load_seconds": 4.0, "prefill": 100.0, "decode": 10.0, **speed}
    return Model.scripted(name, [text], repeat=True, size=size, architecture=TINY, speed=Speed(**figures))


async def ask(url: str, model: str = "m", text: str = "hi", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": False, **more}
    async with aiohttp.ClientSession() as session, session.post(url + "/api/chat", json=body) as response:
        told: dict[str, Any] = await response.json()
        return told


async def resident(url: str) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(url + "/api/ps") as response:
        return {row["name"]: row["context_length"] for row in (await response.json())["models"]}


async def test_without_waiting_durations_are_still_the_host_s_own() -> None:
    async with serve(Host("h", [a_model()])) as url:
        cold, warm = await ask(url), await ask(url)
    assert (cold["load_duration"], warm["load_duration"]) == (4_000_000_000, 1_500_000)
    assert cold["eval_duration"] == 400_000_000
    assert cold["prompt_eval_duration"] == cold["prompt_eval_count"] * 10_000_000


@leaping
async def test_time_runs_so_many_times_as_fast() -> None:
    host = Host("h", [a_model()], time_scale=40.0, steady=now)
    async with serve(host) as url:
        began = now()
        told = await ask(url)
        waited = now() - began
    total = told["load_duration"] + told["prompt_eval_duration"] + told["eval_duration"]
    assert total == 4_400_000_000 + told["prompt_eval_count"] * 10_000_000
    assert told["total_duration"] == pytest.approx(total, rel=0.01)
    assert waited == pytest.approx(total / 1e9 / 40, rel=0.01)


async def test_another_window_reloads_and_the_same_does_not() -> None:
    host = Host("h", [a_model()])
    async with serve(host) as url:
        for window, loads in ((None, 1), (4096, 1), (2048, 2), (2048, 2), (1_000_000, 3), (32768, 3)):
            await ask(url, options={} if window is None else {"num_ctx": window})
            assert host.loads == loads, window
        assert await resident(url) == {"m:latest": 32768}


@pytest.mark.parametrize(("memory", "window"), [(None, 4096), (11, 4096), (24, 32768), (48, 131072)])
async def test_the_usual_window_follows_from_the_memory(memory: float | None, window: int) -> None:
    async with serve(Host("h", [Model.scripted("m", ["hi"], context_length=131072, architecture=TINY)], vram_gb=memory)) as url:
        await ask(url)
        assert await resident(url) == {"m:latest": window}


async def test_only_what_is_new_in_a_conversation_is_read() -> None:
    host = Host("h", [a_model()])
    history = [{"role": "system", "content": "Be brief. " * 20}, {"role": "user", "content": "first"}]
    async with serve(host) as url:
        first = await ask(url, messages=history)
        history += [first["message"], {"role": "user", "content": "second"}]
        second = await ask(url, messages=history)
        again = await ask(url, messages=history)
        other = await ask(url, messages=[{"role": "user", "content": "Something else entirely."}])
    per_token = 10_000_000
    assert second["prompt_eval_count"] > first["prompt_eval_count"]
    assert second["prompt_eval_duration"] <= 6 * per_token
    assert again["prompt_eval_duration"] == per_token
    assert other["prompt_eval_duration"] >= (other["prompt_eval_count"] - 8) * per_token
    assert host.tokens_reused > 2 * first["prompt_eval_count"] - 20


async def test_one_slot_makes_two_conversations_forget_and_two_slots_do_not() -> None:
    async def read(parallel: int) -> int:
        host = Host("h", [a_model()], parallel=parallel)
        async with serve(host) as url:
            for _ in range(3):
                for topic in ("cats " * 50, "stocks " * 50):
                    await ask(url, text=topic)
        return host.tokens_evaluated

    assert await read(parallel=2) < await read(parallel=1) / 2


@leaping
async def test_who_waits_for_a_slot_sees_it_only_in_the_total() -> None:
    host = Host("h", [a_model()], time_scale=20.0, steady=now)
    async with serve(host) as url:
        await ask(url)
        both = await asyncio.gather(ask(url), ask(url))
    waits = []
    for told in both:
        parts = told["load_duration"] + told["prompt_eval_duration"] + told["eval_duration"]
        waits.append((told["total_duration"] - parts) / 1e9)
    alone = both[0]["prompt_eval_duration"] + both[0]["eval_duration"]
    assert sorted(waits) == [pytest.approx(0, abs=0.01), pytest.approx(alone / 1e9, abs=0.02)]


async def test_a_client_that_leaves_aborts_its_load() -> None:
    host = Host("h", [a_model(load_seconds=1000)], time_scale=1.0)
    async with serve(host) as url:
        leaving = asyncio.create_task(ask(url))
        await until(lambda: host.open == 1)
        leaving.cancel()
        await until(lambda: host.open == 0)
        assert await resident(url) == {}
    assert host.loads == 0
    assert host.requests[0].cancelled


async def test_what_does_not_fit_is_evicted_shortest_keep_alive_first() -> None:
    host = Host("h", [a_model(name, size=4 * GIB) for name in "abc"], vram_gb=10)
    async with serve(host) as url:
        await ask(url, "a", keep_alive="30m")
        await ask(url, "b")
        assert list(await resident(url)) == ["a:latest", "b:latest"]
        await ask(url, "c")
        assert set(await resident(url)) == {"a:latest", "c:latest"}
        await ask(url, "b", keep_alive=-1)
        assert list(await resident(url)) == ["b:latest", "a:latest"]


async def test_a_busy_model_is_not_evicted() -> None:
    host = Host("h", [a_model(name, size=6 * GIB) for name in "ab"], vram_gb=9)
    host.faults.add("stall", model="a", times=1)
    async with serve(host) as url:
        busy = asyncio.create_task(ask(url, "a"))
        await until(lambda: host.loads == 1)
        waiting = asyncio.create_task(ask(url, "b"))
        await until(lambda: host.open == 2)
        assert list(await resident(url)) == ["a:latest"]
        busy.cancel()
        assert (await waiting)["done"]
        assert list(await resident(url)) == ["b:latest"]


@leaping
async def test_keep_alive_runs_out_in_the_host_s_seconds_and_sticks() -> None:
    host = Host("h", [a_model(load_seconds=0.01)], time_scale=20.0, steady=now)
    async with serve(host) as url:
        await ask(url, keep_alive="1s")
        assert list(await resident(url)) == ["m:latest"]
        await ask(url)
        await asyncio.sleep(0.9 / 20)
        assert list(await resident(url)) == ["m:latest"]
        await asyncio.sleep(0.2 / 20)
        assert await resident(url) == {}
        await ask(url)
    assert host.loads == 2


async def test_expiry_is_told_in_the_host_s_own_seconds() -> None:
    host = Host("h", [a_model()], wall=lambda: 1_700_000_000_000_000_000)
    async with serve(host) as url, aiohttp.ClientSession() as session:
        await ask(url)
        async with session.get(url + "/api/ps") as response:
            [usual] = json.loads(await response.text())["models"]
        await ask(url, keep_alive=-1)
        async with session.get(url + "/api/ps") as response:
            [ever] = json.loads(await response.text())["models"]
    assert usual["expires_at"] == "2023-11-14T22:18:20Z"
    assert ever["expires_at"] > "2300"
