"""The survey: every host asked at once; what each has, holds and says, and why one does not answer."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mmos.config.schema import Server
from mmos.fleet.build import seats_of_servers
from mmos.fleet.fleet import Fleet
from mmos.fleet.residents import stays
from mmos.fleet.survey import HostState, survey
from mmos.hosts.face import Abilities, Installed, Loaded, Timeouts
from mmos.rehearsal import Host, Model, serve
from tests.wire import HANG, answer, serving


@asynccontextmanager
async def fleet_of(servers: Mapping[str, Server]) -> AsyncIterator[Fleet]:
    async with Fleet(seats_of_servers(servers, None)) as fleet:
        yield fleet


async def surveyed(*hosts: Host, more: Mapping[str, str] | None = None, **fields: Any) -> tuple[HostState, ...]:
    async with AsyncExitStack() as stack:
        servers = {host.name: Server(url=await stack.enter_async_context(serve(host)), **fields) for host in hosts}
        servers |= {name: Server(url=url) for name, url in (more or {}).items()}
        fleet = await stack.enter_async_context(fleet_of(servers))
        return await survey(fleet, servers, patience=0.3)


async def test_a_host_tells_what_it_has_and_holds():
    host = Host("a", [Model("qwen:7b", size=4_000), Model("tiny")], vram_gb=8)
    async with serve(host) as url:
        servers = {"a": Server(url=url, vram_gb=8, parallel=2)}
        async with fleet_of(servers) as fleet:
            await fleet.host("a").preload("tiny", num_ctx=2048, keep_alive="10m", timeouts=Timeouts())
            (state,) = await survey(fleet, servers)
    assert (state.name, state.kind, state.parallel, state.version, state.error, state.reachable) == (
        "a",
        "ollama",
        2,
        host.version,
        None,
        True,
    )
    assert [model.name for model in state.installed] == ["qwen:7b", "tiny:latest"]
    assert state.has("TINY") is not None
    assert state.has("gone") is None
    held = state.holds("tiny")
    assert held is not None
    assert held.context_length == 2048
    assert held.size_vram == state.vram_used > 0
    assert state.vram_bytes == 8 << 30
    left = stays(held, time.time())
    assert left is not None
    assert 500 < left <= 600


async def test_those_that_do_not_answer_are_told_of_beside_those_that_do():
    async with serving([HANG], [HANG], [HANG]) as stuck:
        states = await surveyed(Host("a", [Model("m")]), more={"gone": "http://127.0.0.1:9", "stuck": stuck.url})
    well, gone, silent = states
    assert well.error is None
    assert gone.error is not None
    assert (gone.reachable, gone.error.code) == (False, "host_unreachable")
    assert silent.error is not None
    assert (silent.reachable, silent.error.code) == (False, "host_timeout")
    assert "stuck" in silent.error.message
    assert silent.error.next_step


async def test_all_are_asked_at_once():
    """Each host answers only when all have been asked: one after the other would never end."""
    gates = [asyncio.Event() for _ in range(3)]

    async def open_when_asked(wires: list[Any]) -> None:
        for wire in wires:
            await wire.asked.wait()
        for gate in gates:
            gate.set()

    async with AsyncExitStack() as stack:
        scripts = [[[gate, *answer({"models": [], "version": "1"})]] * 3 for gate in gates]
        wires = [await stack.enter_async_context(serving(*script)) for script in scripts]
        servers = {f"h{number}": Server(url=wire.url) for number, wire in enumerate(wires)}
        fleet = await stack.enter_async_context(fleet_of(servers))
        states, _ = await asyncio.gather(survey(fleet, servers, patience=20), open_when_asked(wires))
    assert [state.reachable for state in states] == [True, True, True]


async def test_a_host_that_tells_half_is_reachable_and_says_what_is_wrong():
    host = Host("a", [Model("m")])
    host.faults.add("status", path="/api/ps", status=500, error="boom")
    (state,) = await surveyed(host)
    assert state.reachable
    assert [model.name for model in state.installed] == ["m:latest"]
    assert state.error is not None
    assert "boom" in state.error.message


async def test_no_secret_of_an_address_is_shown():
    servers = {"a": Server(url="http://me:hunter2@127.0.0.1:9/?key=hunter2")}
    async with fleet_of(servers) as fleet:
        (state,) = await survey(fleet, servers)
    assert "hunter2" not in repr(state)


def test_how_long_a_model_stays():
    now = 1_795_209_390.0
    assert stays(Loaded("m", expires_at="2026-11-20T21:16:30.65Z"), now) is not None
    assert round(stays(Loaded("m", expires_at="2026-11-20T21:17:30.650339787Z"), now) or 0) == 61
    assert (stays(Loaded("m", expires_at="2319-01-01T00:00:00Z"), now) or 0) > 1e9
    assert stays(Loaded("m"), now) is None
    assert stays(Loaded("m", expires_at="soon"), now) is None


def test_to_find_each_of_many_models_takes_steps_for_each_alone():
    names = [f"m{number}" for number in range(500)]
    state = HostState("a", "", "ollama", Abilities(), None, 1, installed=tuple(map(Installed, names)), loaded=tuple(map(Loaded, names)))
    steps = []
    sys.setprofile(lambda _frame, event, _told: steps.append(event))
    try:
        found = [(state.has(name), state.holds(f"{name}:latest")) for name in names]
    finally:
        sys.setprofile(None)
    assert all(has and holds and has.name == holds.name == name for name, (has, holds) in zip(names, found, strict=True))
    assert len(steps) < 100 * len(names)
