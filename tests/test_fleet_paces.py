"""A fleet whose hosts have clocks of different speeds: they are compared on one clock, and a call's figures are in the seconds of its host."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

import mmos
from mmos.fleet.asking import Ask
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve
from tests.leaping import leaping, now

ANSWER = " ".join(f"w{number}" for number in range(50))
CLOCKS = {"hasty": (50.0, 10.0), "plain": (1.0, 50.0)}
"""How fast the time of each host runs, and how many tokens it writes in a second of its own: the first is ten times as fast in the end."""


@leaping
async def test_hosts_are_compared_on_one_clock_and_tell_of_their_own() -> None:
    async with AsyncExitStack() as stack:
        servers = {}
        for name, (scale, decode) in CLOCKS.items():
            model = Model.scripted("m", [ANSWER], repeat=True, speed=Speed(load_seconds=4.0, prefill=1000.0, decode=decode))
            url = await stack.enter_async_context(serve(Host(name, [model], time_scale=scale, steady=now)))
            servers[name] = {"url": url, "time_scale": scale}
        fleet = await stack.enter_async_context(mmos.Fleet.open(servers))
        for name in ("plain", "hasty"):
            for number in range(3):
                await fleet.serve(Ask(ChatRequest("m", [Message("user", f"{number}: {'How? ' * 400}")], 4096), (name,)))
        chosen = (await fleet.ask("m", [{"role": "user", "content": "Who? " * 400}], num_ctx=4096)).placement
        other = (await fleet.serve(Ask(ChatRequest("m", [Message("user", "What? " * 400)], 4096), ("plain",)))).placement
    assert chosen["host"] == "hasty"
    assert (chosen["write"], other["write"]) == (pytest.approx(5.0, rel=0.1), pytest.approx(1.0, rel=0.1))
    assert chosen["expected"] == pytest.approx(chosen["took"], rel=0.25)
