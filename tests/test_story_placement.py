"""Stories of placement over real HTTP: models are not pushed out for nothing, and a call that pauses stands in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import mmos
from mmos.config.load import from_mapping
from mmos.hosts.face import Timeouts
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve, until

GB = 1_000_000_000
BUSY = "server busy, please try again. maximum pending requests exceeded"


@asynccontextmanager
async def two_hosts(time_scale: float, vram_gb: float) -> AsyncIterator[tuple[mmos.Fleet, list[Host]]]:
    """Two hosts with the same two models of 6 GB. Each host holds one of them."""
    async with AsyncExitStack() as stack:
        servers, hosts = {}, []
        for name in ("left", "right"):
            speed = Speed(load_seconds=10.0, prefill=2000.0, decode=50.0)
            models = [Model.scripted(model, ["A short answer."], repeat=True, size=6 * GB, speed=speed) for model in ("a", "b")]
            host = Host(name, models, vram_gb=vram_gb, time_scale=time_scale, swap_seconds=0.5)
            url = await stack.enter_async_context(serve(host))
            servers[name] = {"url": url, "vram_gb": vram_gb, "time_scale": time_scale}
            hosts.append(host)
        yield await stack.enter_async_context(mmos.Fleet.open(servers)), hosts


async def converse(fleet: mmos.Fleet, name: str, turns: int) -> None:
    """A conversation that asks the two models by turns."""
    text = "Tell me more. "
    for turn in range(turns):
        await fleet.ask("ab"[turn % 2], [{"role": "user", "content": text * (turn + 1)}], session=f"{name}/{turn % 2}", num_ctx=4096)


async def test_conversations_that_alternate_between_two_models_load_each_model_once() -> None:
    async with two_hosts(100.0, 8.0) as (fleet, hosts):
        await asyncio.gather(*(converse(fleet, str(number), 6) for number in range(4)))
        assert sum(host.loads for host in hosts) <= 4


async def test_calls_with_the_same_long_beginning_share_what_a_host_has_read() -> None:
    rules = {name: f"You are {name}. " + "Answer in short sentences. " * 200 for name in ("the critic", "the poet")}
    async with two_hosts(20.0, 8.0) as (fleet, hosts):
        for name in ("left", "right"):
            await fleet.host(name).preload("a", num_ctx=4096, timeouts=Timeouts())
        answered: dict[str, list[str]] = {name: [] for name in rules}
        for turn in range(12):
            name = [*rules][turn % 2]
            messages = [{"role": "system", "content": rules[name]}, {"role": "user", "content": f"Question {turn}."}]
            answered[name].append((await fleet.ask("a", messages, num_ctx=4096)).host)
    settled = {hosts[2] for hosts in answered.values()}
    assert settled == {"left", "right"}
    assert all(set(hosts[2:]) < settled for hosts in answered.values())
    assert sum(host.tokens_reused for host in hosts) > sum(host.tokens_evaluated for host in hosts)


async def test_calls_that_pause_on_a_busy_host_let_another_go_first() -> None:
    ask = [{"role": "user", "content": "How?"}]
    host = Host("box", [Model.scripted("a", ["A short answer."], repeat=True)])
    async with serve(host) as url, mmos.Fleet.open({"box": {"url": url}}) as fleet:
        await fleet.ask("a", ask)
        host.faults.add("status", status=503, error=BUSY, times=2)
        paused = [asyncio.create_task(fleet.ask("a", ask)) for _ in range(2)]
        await until(lambda: len(host.requests.to("/api/chat")) == 3)
        assert (await fleet.ask("a", ask)).text == "A short answer."
        assert not any(task.done() for task in paused)
        await asyncio.gather(*paused)


async def test_a_window_counts_for_what_fits_so_no_host_pushes_a_model_out_by_surprise() -> None:
    """By their files all three models would fit. With their caches only two do, so MMOS unloads one before it loads another."""
    sizes = {"small": 1 * GB, "a": 5 * GB, "b": 5 * GB}
    host = Host("box", [Model.scripted(name, ["So."], repeat=True, size=size) for name, size in sizes.items()], vram_gb=14.0)
    async with serve(host) as url, mmos.Fleet.open({"box": {"url": url, "vram_gb": 14}}) as fleet:
        for name in ("small", "a", "b", "a"):
            reply = await fleet.ask(name, [{"role": "user", "content": "How?"}], num_ctx=4096 if name == "small" else 16384)
            assert reply.placement.get("swap", False) is (host.loads > 2)
    assert (host.loads, host.swaps) == (4, 2)
    assert len(host.requests.to("/api/generate")) == 2
    assert len(host.requests.to("/api/show")) == 3


async def test_where_mmos_may_not_unload_the_host_chooses_who_leaves() -> None:
    host = Host("box", [Model.scripted(name, ["So."], repeat=True, size=6 * GB) for name in "ab"], vram_gb=8.0)
    async with serve(host) as url:
        config = {"servers": {"box": {"url": url, "vram_gb": 8}}, "arbiter": {"model": "a"}, "gpu": {"auto_unload": False}}
        async with mmos.Fleet.open(from_mapping({"orchestration": config}, environ={})) as fleet:
            for name in "abab":
                assert (await fleet.ask(name, [{"role": "user", "content": "How?"}], num_ctx=4096)).text == "So."
    assert (host.loads, host.swaps) == (4, 3)
    assert not host.requests.to("/api/generate")


async def test_a_call_leaves_a_host_that_shows_that_the_model_does_not_fit() -> None:
    """Nobody told MMOS how much memory the hosts have. The small one keeps a part of the model in main memory and shows it in its list."""
    speed = Speed(load_seconds=5.0, prefill=20.0, decode=20.0)
    model = Model.scripted("a", ["A short answer."], repeat=True, size=12 * GB, speed=speed)
    async with AsyncExitStack() as stack:
        hosts = [Host(name, [model], vram_gb=vram, time_scale=20.0) for name, vram in (("left", 4.0), ("right", 24.0))]
        servers = {host.name: {"url": await stack.enter_async_context(serve(host)), "time_scale": 20.0} for host in hosts}
        fleet = await stack.enter_async_context(mmos.Fleet.open(servers))
        replies = await asyncio.gather(*(fleet.ask("a", [{"role": "user", "content": "Please. " * 200}], num_ctx=4096) for _ in range(2)))
    assert {reply.host for reply in replies} == {"right"}
    assert len(hosts[0].requests.to("/api/chat")) > 0
