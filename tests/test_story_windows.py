"""Stories of windows over real HTTP: no call loads a model again that is in memory with a window that is large enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import mmos
from mmos.testing import Host, Model, serve

GB = 1_000_000_000
WORD = "word "
ASK = [{"role": "user", "content": "How?"}]
EMBEDDING = Model("nomic-embed-text", size=GB // 4, context_length=8192, capabilities=("embedding",))


def model(name: str = "m", **rest: Any) -> Model:
    return Model.scripted(name, ["So."], repeat=True, **rest)


@asynccontextmanager
async def fleet_on(host: Host, **server: Any) -> AsyncIterator[mmos.Fleet]:
    async with serve(host) as url, mmos.Fleet.open({host.name: {"url": url, **server}}) as fleet:
        yield fleet


async def grow(fleet: mmos.Fleet, name: str = "m") -> None:
    """A conversation from 1,000 to 20,000 tokens."""
    for tokens in range(1000, 20_001, 1900):
        assert (await fleet.ask(name, [{"role": "user", "content": WORD * int(tokens / 1.3)}], session="s")).text == "So."


def windows(host: Host) -> list[int]:
    return [seen.num_ctx or 0 for seen in host.requests.to("/api/chat")]


# ---------------------------------------------------------------- a window is chosen for long


@pytest.mark.parametrize("vram_gb", [24.0, 11.0])
async def test_a_conversation_that_grows_never_loads_its_model_again_where_the_memory_is_known(vram_gb: float) -> None:
    host = Host("box", [model(context_length=1 << 17)], vram_gb=vram_gb)
    async with fleet_on(host, vram_gb=vram_gb) as fleet:
        await grow(fleet)
    assert host.loads == 1


async def test_a_conversation_that_grows_loads_its_model_again_at_most_once() -> None:
    host = Host("box", [model(context_length=1 << 17)])
    async with fleet_on(host) as fleet:
        await grow(fleet)
    assert host.loads <= 2


async def test_a_window_leaves_room_for_the_other_models_of_the_host() -> None:
    host = Host("box", [model("m", size=5 * GB), model("n", size=5 * GB)], vram_gb=16.0)
    async with fleet_on(host, vram_gb=16.0) as fleet:
        for name in "mnmn":
            await fleet.ask(name, ASK)
    assert (host.loads, host.swaps) == (2, 0)


async def test_a_window_is_at_most_the_one_that_the_model_was_trained_for() -> None:
    host = Host("box", [model(context_length=8192)], vram_gb=24.0)
    async with fleet_on(host, vram_gb=24.0) as fleet:
        await fleet.ask("m", ASK)
        await fleet.ask("m", [{"role": "user", "content": WORD * 6000}])
        await fleet.ask("m", ASK, num_ctx=16384)
    assert (windows(host), host.loads) == ([8192, 8192, 8192], 1)


# ---------------------------------------------------------------- calls that want other windows


async def test_a_call_that_wants_less_than_there_is_loads_nothing() -> None:
    host = Host("box", [model()])
    async with fleet_on(host) as fleet:
        for window in (8192, 2048, 4096):
            reply = await fleet.ask("m", ASK, num_ctx=window)
    assert (windows(host), host.loads, reply.placement["window"]) == ([8192, 8192, 8192], 1, 8192)


async def test_calls_with_unlike_windows_do_not_load_a_model_by_turns() -> None:
    host = Host("box", [model()], time_scale=50.0)
    async with fleet_on(host, time_scale=50.0) as fleet:
        await asyncio.gather(*(fleet.ask("m", ASK, num_ctx=window) for window in (4096, 8192) * 5))
    assert host.loads <= 2


@pytest.mark.parametrize("num_ctx", [None, 4096])
async def test_a_model_that_another_program_has_loaded_is_used_with_its_window(num_ctx: int | None) -> None:
    host = Host("box", [model()])
    async with serve(host) as url:
        async with mmos.Fleet.open({"box": {"url": url}}) as other:
            await other.ask("m", ASK, num_ctx=16384)
        async with mmos.Fleet.open({"box": {"url": url}}) as fleet:
            await fleet.ask("m", ASK, num_ctx=num_ctx)
    assert (windows(host), host.loads) == ([16384, 16384], 1)


async def test_a_smaller_window_that_is_large_enough_is_kept() -> None:
    host = Host("box", [model()], vram_gb=24.0)
    async with serve(host) as url:
        async with mmos.Fleet.open({"box": {"url": url}}) as other:
            await other.ask("m", ASK, num_ctx=4096)
        async with mmos.Fleet.open({"box": {"url": url, "vram_gb": 24}}) as fleet:
            await fleet.ask("m", ASK)
    assert (windows(host), host.loads) == ([4096, 4096], 1)


async def test_long_texts_are_embedded_in_the_window_that_short_ones_have() -> None:
    host = Host("box", [EMBEDDING])
    async with fleet_on(host) as fleet:
        for words in (10, 4000):
            assert len(await fleet.embed("nomic-embed-text", [WORD * words])) == 1
    assert host.loads == 1


# ---------------------------------------------------------------- roles


async def test_roles_of_one_model_load_it_once() -> None:
    host = Host("box", [model()])
    async with serve(host) as url:
        roles = {"arbiter": {"model": "m", "context_window": 4096}, "specialists": {"coding": {"model": "M", "context_window": 16384}}}
        async with mmos.open({"orchestration": {"servers": {"box": {"url": url}}, **roles}}) as app:
            for role in ("arbiter", "coding"):
                await app.run("How?", options=mmos.RunOptions(role_only=role))
            await app.fleet.ask("m", ASK)
            await app.fleet.ask("m", ASK, num_ctx=2048)
    assert (set(windows(host)), host.loads) == ({16384}, 1)
