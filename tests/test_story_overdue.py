"""Stories of calls that come too late or find no host: the error shows where the time went, and which hosts were tried."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import mmos
from mmos.app import RunOptions
from mmos.errors import HostTimeout, NoHost
from mmos.events import ModelFailed
from mmos.fleet.account import Account
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, facts, serve, stage, until

ASK = [{"role": "user", "content": "How?"}]
LONG = " ".join(f"word{number}" for number in range(2000))
SPEED = Speed(load_seconds=0.0, decode=50.0)


@asynccontextmanager
async def fleet_of(*names: str) -> AsyncIterator[tuple[mmos.Fleet, list[Host]]]:
    """Hosts in true time, with a model that answers at once and one that talks for minutes."""
    async with AsyncExitStack() as stack:
        hosts, servers = [], {}
        for name in names:
            models = [Model.scripted(model, [text], repeat=True, speed=SPEED) for model, text in (("short", "So."), ("long", LONG))]
            hosts.append(Host(name, models, time_scale=1.0))
            servers[name] = {"url": await stack.enter_async_context(serve(hosts[-1]))}
        yield await stack.enter_async_context(mmos.Fleet.open(servers)), hosts


async def test_a_deadline_that_passes_shows_the_queue_and_the_host() -> None:
    async with fleet_of("box") as (fleet, hosts):
        others = [asyncio.create_task(fleet.ask("long", ASK)) for _ in range(6)]
        await until(lambda: hosts[0].requests.to("/api/chat"))
        with pytest.raises(HostTimeout, match=r"^long did not answer within 0\.3 s: 0\.[23] s in the queue behind \d calls\. `") as queued:
            await fleet.ask("long", ASK, deadline=0.3)
        assert "mmos hosts" in queued.value.next_step
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        with pytest.raises(HostTimeout, match=r"^long did not answer within 0\.3 s: .*0\.[23] s on box\. `"):
            await fleet.ask("long", ASK, deadline=0.3)


async def test_hosts_that_were_tried_are_named_in_their_order() -> None:
    async with fleet_of("left", "right") as (fleet, hosts):
        for host in hosts:
            host.faults.add("status", status=500, error="an error was encountered while running the model")
        with pytest.raises(
            NoHost, match=r"^No host can serve short\. .*left: .*right: |^No host can serve short\. .*right: .*left: "
        ) as failed:
            await fleet.ask("short", ASK)
        assert [len(host.requests.to("/api/chat")) for host in hosts] == [3, 3]
        tried = failed.value.message.rpartition(" MMOS tried ")[2].rstrip(".").replace(" 2 times", "").split(", then ")
        assert set(tried) == {"left", "right"}


async def test_a_host_that_fails_before_another_answers_too_late_is_in_the_story() -> None:
    async with fleet_of("left", "right") as (fleet, hosts):
        for host in hosts:
            host.faults.add("status", status=500, error="an error was encountered while running the model", times=1)
        with pytest.raises(HostTimeout, match=r"s on (left|right) \(runner_crashed\), then .*s on (left|right)\. `"):
            await fleet.ask("long", ASK, deadline=1.0)


async def test_a_run_that_ends_in_time_shows_where_its_request_was() -> None:
    async with stage({"arbiter": Model.scripted("arbiter", [LONG], speed=SPEED)}, time_scale=1.0) as on:
        answer = await on.app.run("How?", options=RunOptions(timeout=1.0))
        (cut,) = await facts(on.app, answer.run, ModelFailed)
    assert answer.reason is not None
    assert answer.reason.code == "timeout"
    assert answer.reason.message == f"The run did not finish within 1 s. arbiter: {cut.detail}"
    assert cut.detail.startswith("The call was cancelled after ")
    assert cut.detail.endswith(" s on here.")


def test_short_steps_are_left_out_and_long_stories_begin_in_the_middle() -> None:
    now = [0.0]
    account = Account(lambda: now[0])
    assert (account.spent(), account.tried()) == ("", "")
    account.waits(3)
    now[0] = 12.0
    account.is_on("gpu1", now[0])
    now[0] = 20.0
    assert account.spent() == "12.0 s in the queue behind 3 calls, then 8.0 s on gpu1"
    assert account.tried() == ""
    account.failed("host_busy")
    account.pauses()
    now[0] = 20.01
    account.is_on("gpu1", now[0])
    account.failed("host_busy")
    account.is_on("gpu2", now[0])
    now[0] = 22.0
    assert account.spent().endswith("8.0 s on gpu1 (host_busy), then 0.0 s on gpu1 (host_busy), then 2.0 s on gpu2")
    assert account.tried() == "gpu1 2 times, then gpu2"
    for _ in range(5):
        account.pauses()
        now[0] += 1.0
    assert account.spent().startswith("…, then ")
    assert account.spent().count(", then ") == 6
