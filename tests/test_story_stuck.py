"""Stories of a host that loads no more: it serves what it holds, MMOS makes it move again, and tells the user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import mmos
from mmos.app import RunOptions
from mmos.cli.work import expectation
from mmos.errors import HostTimeout
from mmos.events import ModelFailed
from mmos.fleet.asking import Ask, Observer
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.placement.facts import Outlook
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, configuration, facts, serve, until
from tests.fleets import fleet_at
from tests.leaping import leaping, now

ASK = [{"role": "user", "content": "How?"}]
GIB = 1 << 30
SPEED = Speed(load_seconds=4.0, prefill=2000.0, decode=50.0)


def model(name: str) -> Model:
    return replace(Model.scripted(name, ["So."], repeat=True, speed=SPEED), size=3 * GIB)


@asynccontextmanager
async def fleet_of(*names: str, state: Path | None = None) -> AsyncIterator[tuple[mmos.Fleet, list[Host]]]:
    async with AsyncExitStack() as stack:
        hosts, servers = [], {}
        for name in names:
            hosts.append(Host(name, [model(one) for one in "abc"], vram_gb=8.0, time_scale=1.0, steady=now))
            servers[name] = {"url": await stack.enter_async_context(serve(hosts[-1])), "vram_gb": 8.0}
        yield await stack.enter_async_context(mmos.Fleet.open(servers, state=state)), hosts


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


@leaping
async def test_the_error_and_the_estimate_say_what_the_call_waited_for() -> None:
    """Nothing is in memory that could be unloaded."""
    seen: list[Outlook] = []

    class Waiter(Observer):
        on_wait = staticmethod(seen.append)

    async with fleet_of("box") as (fleet, (box,)):
        box.faults.add("deadlock", model="c", times=1)
        watched = asyncio.create_task(fleet.serve(Ask(ChatRequest("c", [Message("user", "How?")], 4096), observer=Waiter())))
        with pytest.raises(
            HostTimeout,
            match=r"^c did not answer within 200 s: .* on box\. box loads no more: for 20 s it has not finished with c:latest\. ",
        ) as late:
            await fleet.ask("c", ASK, deadline=200)
        assert late.value.next_step.endswith("restart Ollama on box.")
        assert expectation(seen[-1]) == "box loads no more"
        assert list(fleet.standing().stuck) == ["box"]
        await fleet.host("box").unload("a")  # somebody helps
        assert (await watched).text == "So."
        assert not fleet.standing().stuck


@leaping
async def test_a_run_that_goes_on_elsewhere_has_a_warning() -> None:
    models = {"arbiter": model("arbiter")}
    async with AsyncExitStack() as stack:
        hosts = [Host(name, [model("arbiter"), model("a")], vram_gb=8.0, time_scale=1.0, steady=now) for name in ("left", "right")]
        urls = {host.name: await stack.enter_async_context(serve(host)) for host in hosts}
        app = await stack.enter_async_context(mmos.open(configuration(models, urls, {})))
        for host in hosts:
            host.faults.add("deadlock", times=1)
        run = asyncio.create_task(app.run("Go.", options=RunOptions(timeout=2000.0)))
        await until(lambda: any(host.requests.to("/api/chat") for host in hosts))
        ill, well = sorted(hosts, key=lambda host: not host.requests.to("/api/chat"))
        well.faults.clear()
        answer = await run
        (said,) = await facts(app, answer.run, ModelFailed)
    assert (answer.text, said.host) == ("So.", ill.name)
    assert said.detail.startswith(f"{ill.name} loads no more: ")
    assert [warning.partition(" MMOS ")[0] for warning in answer.document()["warnings"]] == [f"{ill.name} loads no more."]


async def test_other_processes_know_it(tmp_path: Path) -> None:
    """The clock of the host runs a thousand times as fast as that of the commands."""
    box = Host("box", [model(name) for name in "abc"], vram_gb=8.0, time_scale=1000.0)
    async with fleet_at(tmp_path, box, roles={"arbiter": "c"}, servers={"box": {"time_scale": 1000}}) as place:
        box.faults.add("deadlock", model="c", times=1)
        async with mmos.Fleet.open(tmp_path / "orchestration.yaml", state=tmp_path / ".mmos") as fleet:
            late = asyncio.create_task(fleet.ask("c", ASK))
            await until(lambda: fleet.standing().stuck)
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)
        shown = await place.mmos("hosts")
        assert "stuck" in shown.out
        assert "did not finish with c:latest" in shown.out.replace("  ", " ")
        assert "host_stuck" in (await place.mmos("doctor", "--quick", "--json")).out
        async with mmos.Fleet.open(tmp_path / "orchestration.yaml", state=tmp_path / ".mmos") as fleet:
            await fleet.host("box").unload("a")
            assert (await fleet.ask("c", ASK)).text == "So."
        assert "stuck" not in (await place.mmos("hosts")).out
