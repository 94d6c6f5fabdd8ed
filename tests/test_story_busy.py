"""Stories of hosts that are busy: a call waits with an estimate until there is room, and a host that does not list its models is asked seldom."""

from __future__ import annotations

import asyncio

import mmos
from mmos.cli.work import expectation
from mmos.fleet.asking import Ask, Observer
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.placement.facts import Outlook
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve
from tests.leaping import leaping, now


class Waiter(Observer):
    def __init__(self) -> None:
        self.seen: list[Outlook] = []
        self.on_wait = self.seen.append


@leaping
async def test_a_call_waits_as_long_as_all_hosts_are_busy_and_knows_for_how_long() -> None:
    hosts = [Host(name, [Model.scripted("m", ["So."], repeat=True)], time_scale=1.0, steady=now) for name in ("a", "b")]
    waiter = Waiter()
    async with serve(hosts[0]) as first, serve(hosts[1]) as second, mmos.Fleet.open({"a": {"url": first}, "b": {"url": second}}) as fleet:
        for host in hosts:
            host.faults.add("busy")
        call = asyncio.create_task(fleet.serve(Ask(ChatRequest("m", [Message("user", "How?")], 4096), observer=waiter)))
        await asyncio.sleep(90)
        assert not call.done()
        for host in hosts:
            host.faults.clear()
        assert (await asyncio.wait_for(call, 10)).text == "So."
    pauses = [outlook for outlook in waiter.seen if outlook.pauses]
    assert len(pauses) > 10
    assert all(outlook.seconds is not None and 0 <= outlook.seconds <= 10 for outlook in pauses)
    assert expectation(Outlook(0, 3.0, pauses=True)) == "no host can take it now, next attempt in about 3 s"


@leaping
async def test_a_host_that_does_not_list_its_loaded_models_is_asked_seldom() -> None:
    models = [Model.scripted(name, ["So."], repeat=True) for name in "mn"]
    host = Host("a", models, vram_gb=6.0, time_scale=1.0, steady=now)
    async with serve(host) as url, mmos.Fleet.open({"a": {"url": url}}) as fleet:
        host.faults.add("status", path="/api/ps", status=404, error="not here")
        for number in range(60):
            await fleet.ask("mn"[number % 2], [{"role": "user", "content": "How?"}])
        assert len(host.requests.to("/api/ps")) < 15
        seen = len(host.requests.to("/api/ps"))
        host.faults.clear()
        await asyncio.sleep(301)
        for number in range(4):
            await fleet.ask("mn"[number % 2], [{"role": "user", "content": "How?"}])
        assert len(host.requests.to("/api/ps")) > seen + 1


@leaping
async def test_a_call_to_a_model_that_may_have_been_pushed_out_does_not_wait_for_a_list_that_never_comes() -> None:
    models = [Model.scripted(name, ["So."], repeat=True, size=2 * 10**9, speed=Speed(load_seconds=2.0)) for name in "mno"]
    host = Host("a", models, time_scale=1.0, steady=now)
    async with serve(host) as url, mmos.Fleet.open({"a": {"url": url}}) as fleet:
        host.faults.add("status", path="/api/ps", status=404, error="not here")
        for model in "mnomno":
            begun = now()
            await asyncio.wait_for(fleet.ask(model, [{"role": "user", "content": "How?"}]), 30)
            assert now() - begun < 10
