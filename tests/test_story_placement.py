"""Stories of placement over real HTTP: models are not pushed out for nothing, and a call that pauses stands in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import mmos
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
