"""Stories of loads over real HTTP: a call that is cancelled does not abort the load that others wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import mmos
from mmos.errors import HostTimeout
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve, until
from tests.leaping import leaping, now

GB = 1_000_000_000
ASK = [{"role": "user", "content": "How?"}]
LOAD_SECONDS = 10.0


def models(*names: str) -> list[Model]:
    speed = Speed(load_seconds=LOAD_SECONDS, prefill=2000.0, decode=50.0)
    return [Model.scripted(name, ["A short answer."], repeat=True, size=6 * GB, speed=speed) for name in names]


@asynccontextmanager
async def one_host(*names: str, time_scale: float = 50.0, vram_gb: float = 8.0, **host: Any) -> AsyncIterator[tuple[mmos.Fleet, Host]]:
    """A host that holds one of its models."""
    box = Host("box", models(*names), vram_gb=vram_gb, time_scale=time_scale, swap_seconds=0.5, **host)
    async with serve(box) as url, mmos.Fleet.open({"box": {"url": url, "vram_gb": vram_gb, "time_scale": time_scale}}) as fleet:
        yield fleet, box


def start(fleet: mmos.Fleet, model: str = "a", **options: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(fleet.ask(model, ASK, num_ctx=4096, **options))


async def half_of_the_load(host: Host, calls: int) -> None:
    await until(lambda: len(host.requests.to("/api/chat")) >= calls)
    await asyncio.sleep(LOAD_SECONDS / 2 / (host.clock.scale or 1.0))


@pytest.mark.parametrize("others", [0, 2])
async def test_a_load_goes_on_when_the_call_that_began_it_is_cancelled(others: int) -> None:
    heard: list[str] = []
    async with one_host("a") as (fleet, host):
        first = start(fleet, on_token=heard.append)
        await half_of_the_load(host, 1)
        waiting = [start(fleet) for _ in range(others)]
        await asyncio.sleep(0.01)
        first.cancel()
        replies = await asyncio.gather(*(waiting or [start(fleet)]))
        assert first.cancelled()
        assert {reply.text for reply in replies} == {"A short answer."}
        assert (host.loads, heard) == (1, [])
        await until(lambda: host.open == 0)


@leaping
async def test_a_deadline_that_passes_during_a_load_does_not_abort_it() -> None:
    """The second call finds most of the load done. A client that aborts would begin it anew each time."""
    deadline = 0.6 * LOAD_SECONDS / 50.0
    async with one_host("a", steady=now) as (fleet, host):
        with pytest.raises(HostTimeout):
            await start(fleet, deadline=deadline)
        assert (await start(fleet, deadline=deadline)).text == "A short answer."
        assert host.loads == 1


async def test_a_load_that_nobody_waits_for_makes_way_for_another() -> None:
    async with one_host("a", "b") as (fleet, host):
        first = start(fleet)
        await half_of_the_load(host, 1)
        first.cancel()
        assert (await start(fleet, "b")).text == "A short answer."
        assert host.loads == 1


async def test_closing_the_fleet_ends_the_load() -> None:
    async with one_host("a") as (fleet, host):
        first = start(fleet)
        await half_of_the_load(host, 1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await fleet.close()
        await until(lambda: host.open == 0)
        assert host.loads == 0


@leaping
async def test_the_reply_reports_the_load_and_only_the_first_one_does() -> None:
    async with one_host("a", steady=now) as (fleet, host):
        first = await start(fleet)
        second = await start(fleet)
        assert first.usage.load_seconds == pytest.approx(LOAD_SECONDS, rel=0.2)
        assert (first.placement["warm"], second.placement["warm"], second.usage.loaded) == (False, True, False)
        assert len(host.requests) == 5, "its models, those in memory, the size of this one, and two chats"
