"""Stories of swaps: what a run reports is what its host counted, for one run, for several at once and for each process anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import mmos
from mmos.rehearsal.personas import Speed
from mmos.testing import Call, Host, Model, configuration, serve, until
from tests.leaping import leaping, now

GB = 1_000_000_000
SPEED = Speed(load_seconds=1.0)
CONSULT = [Call("consult_coding_specialist", {"query": "How?"})]


def cast() -> dict[str, Model]:
    """Two models of 6 GB: a host with 8 GB holds one at a time."""
    return {
        "arbiter": Model.scripted("arbiter", [CONSULT, "Thus."], repeat=True, size=6 * GB, speed=SPEED),
        "coding": Model.scripted("coding", ["So."], repeat=True, size=6 * GB, speed=SPEED),
    }


@asynccontextmanager
async def hosted(vram_gb: float, **host: Any) -> AsyncIterator[tuple[Host, dict[str, Any]]]:
    here = Host("here", list(cast().values()), vram_gb=vram_gb, parallel=2, time_scale=50.0, swap_seconds=0.5, **host)
    async with serve(here) as url:
        server = {"url": url, "time_scale": 50.0, "vram_gb": vram_gb, "parallel": 2}
        yield here, configuration(cast(), {"here": url}, {"servers": {"here": server}})


async def swaps_of(config: dict[str, Any], *tasks: str) -> int:
    """Runs side by side in one app."""
    async with mmos.open(config) as app:
        answers = await asyncio.gather(*(app.run(task) for task in tasks))
    assert [answer.text for answer in answers] == ["Thus."] * len(tasks)
    return sum(answer.usage["swaps"] for answer in answers)


async def test_two_models_that_alternate_on_a_small_host() -> None:
    async with hosted(8) as (here, config):
        async with mmos.open(config) as app:
            counted = [(await app.run("How?")).usage["swaps"] for _ in range(3)]
        assert here.swaps == 6
        assert counted == [2, 2, 2]  # the arbiter of a later run pushes out the specialist of the run before


async def test_each_process_sees_what_was_there_before_it() -> None:
    async with hosted(8) as (here, config):
        counted = [await swaps_of(config, "How?") for _ in range(3)]
        assert sum(counted) == here.swaps == 6


@leaping
async def test_runs_side_by_side_share_the_swaps_and_count_each_once() -> None:
    async with hosted(8, steady=now) as (here, config):
        assert await swaps_of(config, "One?", "Two?", "Three?") == here.swaps > 1


async def test_where_both_fit_a_load_is_no_swap() -> None:
    async with hosted(24) as (here, config):
        assert await swaps_of(config, "One?", "Two?") == here.swaps == 0
        assert here.loads == 2


async def test_a_model_whose_time_is_over_was_pushed_out_by_nobody() -> None:
    async with hosted(24, keep_alive=10) as (here, config):
        async with mmos.open(config) as app:
            first = await app.run("How?")
            await until(lambda: not here.residency.loaded())
            later = await app.run("And now?")
        assert here.loads == 4
        assert (first.usage["swaps"], later.usage["swaps"]) == (here.swaps, 0) == (0, 0)


async def test_a_warm_model_is_asked_and_nothing_else() -> None:
    async with hosted(24) as (here, config), mmos.open(config) as app:
        await app.run("How?")
        before = here.requests.total
        await app.run("And now?")
        assert [seen.path for seen in here.requests][-(here.requests.total - before) :] == ["/api/chat"] * 3


async def test_a_host_that_lists_nothing_costs_no_answer_and_counts_no_swap() -> None:
    async with hosted(8) as (here, config):
        here.faults.add("garbage", path="/api/ps")
        assert await swaps_of(config, "How?") == 0
        assert here.swaps == 2


async def test_a_model_that_mmos_unloads_for_another_one_counts_on_both_sides() -> None:
    """Three models by turns on a host that holds two: MMOS chooses who must leave."""
    models = [Model.scripted(name, ["So."], repeat=True, size=6 * GB, speed=SPEED) for name in "abc"]
    here = Host("here", models, vram_gb=16, time_scale=50.0, swap_seconds=0.5)
    async with serve(here) as url, mmos.Fleet.open({"here": {"url": url, "vram_gb": 16, "time_scale": 50.0}}) as fleet:
        replies = [await fleet.ask(name, [{"role": "user", "content": "How?"}], num_ctx=4096) for name in "abcabcacb"]
        (seat,) = fleet.seats
    unloads = [request for request in here.requests.to("/api/generate") if request.json.get("keep_alive") == 0]
    counted = [bool(reply.placement.get("swap")) for reply in replies]
    assert unloads, "the host has no reason to unload one"
    assert sum(counted) == here.swaps == seat.swaps > 2
    assert counted == [reply.usage.loaded and number > 1 for number, reply in enumerate(replies)]


@leaping
async def test_four_models_on_two_hosts_under_load_count_as_the_hosts_do() -> None:
    async with AsyncExitStack() as stack:
        hosts, servers = [], {}
        for name, memory in (("large", 14), ("small", 8)):
            models = [Model.scripted(model, ["So."], repeat=True, size=6 * GB, speed=SPEED) for model in "abcd"]
            hosts.append(Host(name, models, vram_gb=memory, time_scale=50.0, swap_seconds=0.5, steady=now))
            servers[name] = {"url": await stack.enter_async_context(serve(hosts[-1])), "vram_gb": memory, "time_scale": 50.0}
        fleet = await stack.enter_async_context(mmos.Fleet.open(servers))

        async def job(number: int) -> int:
            names = "abcdbadc"[number:] + "dcba"[: number + 1]
            asked = [await fleet.ask(name, [{"role": "user", "content": f"{number}?"}], num_ctx=4096, group=str(number)) for name in names]
            return sum(bool(reply.placement.get("swap")) for reply in asked)

        counted = sum(await asyncio.gather(*(job(number) for number in range(4))))
        assert counted == sum(host.swaps for host in hosts) == sum(seat.swaps for seat in fleet.seats) > 3


async def test_a_model_with_another_window_is_loaded_again_which_is_a_swap() -> None:
    here = Host("here", [cast()["coding"]], vram_gb=24, time_scale=50.0)
    async with serve(here) as url, mmos.Fleet.open({"here": {"url": url, "time_scale": 50.0}}) as fleet:
        windows = (4096, 4096, 8192)
        replies = [await fleet.ask("coding", [{"role": "user", "content": "How?"}], num_ctx=window) for window in windows]
    assert [reply.usage.loaded for reply in replies] == [True, False, True]
    assert [bool(reply.placement.get("swap")) for reply in replies] == [False, False, True]
    assert here.swaps == 1
