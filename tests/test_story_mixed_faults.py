"""Whatever mix of replies, faults, time-outs and cancellations comes: all slots are free afterwards, and no call is lost or answered twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import get_args

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import mmos
from mmos.errors import HostTimeout, NoHost
from mmos.messages import Reply
from mmos.rehearsal.faults import MID_STREAM, Kind
from mmos.rehearsal.personas import Speed
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Host, Model, serve, until
from tests.leaping import leaping, now

NAMES, MODELS = ("left", "right"), ("a", "b", "c")
GIB = 1 << 30
SLOTS = 2


@dataclass(frozen=True)
class Wanted:
    """A call: when it comes, and when its caller has had enough."""

    at: float
    model: str
    deadline: float | None
    cancelled_after: float | None


@dataclass(frozen=True)
class Trouble:
    """A fault: where, when and for how long."""

    at: float
    host: int
    kind: Kind
    path: str
    lasts: float


wanted = st.lists(
    st.builds(
        Wanted,
        st.floats(0, 60),
        st.sampled_from(MODELS),
        st.none() | st.floats(0.5, 120),
        st.none() | st.none() | st.floats(0, 30),
    ),
    min_size=1,
    max_size=16,
)
troubles = st.lists(
    st.builds(
        Trouble, st.floats(0, 60), st.integers(0, 1), st.sampled_from(get_args(Kind)), st.sampled_from(("/api/chat", "*")), st.floats(1, 60)
    ),
    max_size=5,
)


def echo(prompt: Prompt) -> str:
    return f"{prompt.user_text} {' '.join(map(str, range(random.Random(prompt.user_text).randrange(5, 60))))}"


def host(name: str) -> Host:
    speed = Speed(load_seconds=5.0, prefill=1000.0, decode=20.0)
    models = [replace(Model(model, speed=speed, turns=(echo,), repeat=True), size=5 * GIB) for model in MODELS]
    return Host(name, models, vram_gb=14.0, parallel=SLOTS, time_scale=1.0, steady=now)


async def asked(fleet: mmos.Fleet, number: int, one: Wanted) -> Reply | None:
    await asyncio.sleep(one.at)
    try:
        return await fleet.ask(one.model, [{"role": "user", "content": f"call{number}"}], num_ctx=4096, deadline=one.deadline)
    except (NoHost, HostTimeout):
        return None


async def cancelled(task: asyncio.Task[Reply | None], one: Wanted) -> None:
    if one.cancelled_after is not None:
        await asyncio.sleep(one.at + one.cancelled_after)
        task.cancel()


async def trouble(hosts: list[Host], one: Trouble) -> None:
    await asyncio.sleep(one.at)
    fault = hosts[one.host].faults.add(one.kind, path=one.path, **({"seconds": 5.0} if one.kind in ("flapping", "late") else {}))
    await asyncio.sleep(one.lasts)
    hosts[one.host].faults.remove(fault)
    if one.kind == "deadlock":
        unload_all(hosts[one.host])


def unload_all(one: Host) -> None:
    """What ends a deadlock where MMOS finds nothing to unload: it outlasts its cause."""
    for model in one.installed.values():
        one.residency.unload(model)


def whole_answers(hosts: list[Host]) -> Counter[str]:
    seen = [entry for one in hosts for entry in one.requests.to("/api/chat") if entry.status == 200 and entry.output_tokens]
    return Counter(entry.json["messages"][-1]["content"] for entry in seen if not entry.cancelled and entry.fault not in MID_STREAM)


@settings(deadline=None, max_examples=40, phases=[Phase.generate])
@given(wanted, troubles)
@leaping
async def test_nothing_is_lost_or_answered_twice_and_every_slot_is_free(calls: list[Wanted], faults: list[Trouble]) -> None:
    hosts = [host(name) for name in NAMES]
    async with AsyncExitStack() as stack:
        servers = {one.name: {"url": await stack.enter_async_context(serve(one)), "parallel": SLOTS, "vram_gb": 14} for one in hosts}
        fleet = await stack.enter_async_context(mmos.Fleet.open(servers))
        tasks = [asyncio.create_task(asked(fleet, number, one)) for number, one in enumerate(calls)]
        beside = [asyncio.create_task(cancelled(task, one)) for task, one in zip(tasks, calls, strict=True)]
        beside += [asyncio.create_task(trouble(hosts, one)) for one in faults]
        async with asyncio.timeout(3000):
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*beside)
        answers = whole_answers(hosts)
        for number, (result, one) in enumerate(zip(results, calls, strict=True)):
            if isinstance(result, Reply):
                assert result.text.startswith(f"call{number} "), "everybody gets his own answer"
                assert answers[f"call{number}"] == 1
            elif isinstance(result, BaseException):
                assert isinstance(result, asyncio.CancelledError)
                assert one.cancelled_after is not None
            elif not faults:
                assert one.deadline is not None, "a call without a deadline is lost only when hosts fail"
        await every_slot_is_free(fleet, hosts)


async def every_slot_is_free(fleet: mmos.Fleet, hosts: list[Host]) -> None:
    for one in hosts:
        unload_all(one)
    await until(lambda: not any(one.open for one in hosts), seconds=1000.0)  # a load may outlive its call
    assert [seat.in_flight.total() for seat in fleet.seats] == [0, 0]
    assert not fleet.standing().waiting
    async with asyncio.timeout(3000):
        replies = await asyncio.gather(
            *(fleet.ask(MODELS[number % 3], [{"role": "user", "content": f"late{number}"}]) for number in range(12))
        )
    assert [reply.text.split()[0] for reply in replies] == [f"late{number}" for number in range(12)]
    assert [seat.in_flight.total() for seat in fleet.seats] == [0, 0]
