"""Stories of one model under several names: its host loads it once, in one window, and every command knows it under each of them."""

from __future__ import annotations

import asyncio

import mmos
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve

SPELLINGS = ["qwen2.5:14b", "library/qwen2.5:14b", "Qwen2.5:14B"]
ASK = [{"role": "user", "content": "How?"}]


# ---------------------------------------------------------------- the fleet


async def test_a_model_is_warm_under_all_its_names() -> None:
    host = Host("here", [Model("qwen2.5:14b")])
    async with serve(host) as url, mmos.Fleet.open({"here": {"url": url}}) as fleet:
        warm = [(await fleet.ask(name, ASK)).placement["warm"] for name in SPELLINGS]
    assert warm == [False, True, True]
    assert host.loads == 1


async def test_calls_under_all_names_share_the_slots_of_a_host() -> None:
    host = Host("here", [Model("qwen2.5:14b", speed=Speed(load_seconds=2.0))], time_scale=10.0)
    most = 0
    async with serve(host) as url, mmos.Fleet.open({"here": {"url": url}}) as fleet:
        asking = [asyncio.create_task(fleet.ask(name, ASK)) for name in SPELLINGS]
        while not all(task.done() for task in asking):
            most = max(most, host.open)
            await asyncio.sleep(0.01)
        await asyncio.gather(*asking)
    assert most == 2  # a slot, and one call ahead


async def test_a_long_prompt_widens_the_window_of_all_names() -> None:
    host = Host("here", [Model("qwen2.5:14b")])
    async with serve(host) as url, mmos.Fleet.open({"here": {"url": url}}) as fleet:
        await fleet.ask(SPELLINGS[2], [{"role": "user", "content": "word " * 5000}])
        for name in SPELLINGS:
            await fleet.ask(name, ASK)
    assert len({seen.num_ctx for seen in host.requests.to("/api/chat")}) == 1
