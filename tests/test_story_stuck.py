"""Stories of a host that loads no more: it serves what it holds, MMOS makes it move again, and tells the user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import mmos
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve, until
from tests.leaping import leaping, now

ASK = [{"role": "user", "content": "How?"}]
GIB = 1 << 30
SPEED = Speed(load_seconds=4.0, prefill=2000.0, decode=50.0)


def model(name: str) -> Model:
    return replace(Model.scripted(name, ["So."], repeat=True, speed=SPEED), size=3 * GIB)


@asynccontextmanager
async def fleet_of(*names: str) -> AsyncIterator[tuple[mmos.Fleet, list[Host]]]:
    async with AsyncExitStack() as stack:
        hosts, servers = [], {}
        for name in names:
            hosts.append(Host(name, [model(one) for one in "abc"], vram_gb=8.0, time_scale=1.0, steady=now))
            servers[name] = {"url": await stack.enter_async_context(serve(hosts[-1])), "vram_gb": 8.0}
        yield await stack.enter_async_context(mmos.Fleet.open(servers)), hosts


@leaping
async def test_a_stuck_host_is_made_to_move_again() -> None:
    async with fleet_of("box") as (fleet, (box,)):
        for name in "ab":
            await fleet.ask(name, ASK)
        box.faults.add("deadlock", model="c", times=1)
        began = now()
        late = asyncio.create_task(fleet.ask("c", ASK))
        await until(lambda: box.requests.to("/api/chat")[-1].model == "c")
        assert (await fleet.ask("b", ASK)).text == "So."
        assert (await late).text == "So."
        assert 60 < now() - began < 90
        assert [seen.cancelled for seen in box.requests.to("/api/chat")] == [False] * 4
        began = now()
        await fleet.ask("a", ASK)
        assert now() - began < 20, "it loads as before"


@leaping
async def test_a_call_that_waits_for_a_stuck_host_goes_to_another() -> None:
    async with fleet_of("left", "right") as (fleet, hosts):
        for name in "ab":
            await asyncio.gather(*(fleet.ask(name, ASK) for _ in range(6)))
        for host in hosts:
            host.faults.add("deadlock", model="c", times=1)
        began = now()
        late = asyncio.create_task(fleet.ask("c", ASK))
        await until(lambda: any("c" in [seen.model for seen in host.requests] for host in hosts))
        ill, well = sorted(hosts, key=lambda host: "c" not in [seen.model for seen in host.requests])
        well.faults.clear()
        reply = await late
        assert (reply.text, reply.host) == ("So.", well.name)
        assert 60 < now() - began < 90
        assert ill.open == 0
