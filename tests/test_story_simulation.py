"""Stories of `mmos simulate`: it places calls as the fleet does, and it compares the policies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import mmos
from mmos.rehearsal.personas import Architecture, Model, Speed
from mmos.simulation.fleetfile import Machine, Machines
from mmos.simulation.leap import LeapingLoop
from mmos.simulation.replay import Replay, words
from mmos.simulation.trace import Call
from mmos.testing import serve
from tests.shell import start

SPEED = Speed(load_seconds=12, prefill=1000, decode=25)
SMALL = Architecture(layers=16, heads=16, kv_heads=2, head_size=64, embedding_length=1024)
MODELS = [Model(name, size=8_000_000_000, speed=SPEED, architecture=SMALL) for name in ("alpha:8b", "beta:8b")]
PAIR = [Machine(name, MODELS, {"vram_gb": 12}) for name in ("left", "right")]
"""Each host holds one of the two models."""
SCALE = 40.0
FLEET = """\
hosts:
  left: {vram_gb: 24, models: ["qwen2.5:14b", "qwen2.5:32b"]}
  right: {vram_gb: 24, models: ["qwen2.5:14b", "qwen2.5:32b"]}
"""


def talk(name: str, at: float, models: Sequence[str]) -> list[Call]:
    """A conversation that asks one model after the other."""
    calls: list[Call] = []
    for number, model in enumerate(models):
        after = (calls[-1].id,) if calls else ()
        calls.append(Call(f"{name}{number}", model, 500, 100, at, name, f"{name}/{model}", after=after, think=4.0, window=8192))
    return calls


TALKS = [
    *talk("a", 0.0, ["alpha:8b", "beta:8b"] * 3),
    *talk("b", 40.0, ["beta:8b"] * 3),
    *talk("c", 52.0, ["alpha:8b"] * 3),
]
"""Each of their decisions stays the same when a call comes a second later, because a busy machine may be late."""


def simulated(policy: str) -> Mapping[str, str]:
    """The host of each call in the simulation."""

    async def run() -> Mapping[str, str]:
        result = await Replay(Machines("pair", PAIR), TALKS, policy=policy).run()
        return {call.call.id: call.host for call in result.calls}

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(run())


async def lived() -> Mapping[str, str]:
    """The host of each call with a fleet in real time, which knows nothing of simulations."""
    placed: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        servers = {}
        for machine in PAIR:
            models = [replace(model, turns=(" ".join(map(str, range(100))),), repeat=True) for model in machine.models]
            url = await stack.enter_async_context(serve(replace(machine, models=models).host(SCALE)))
            servers[machine.name] = {"url": url, "vram_gb": 12, "time_scale": SCALE}
        fleet = await stack.enter_async_context(mmos.Fleet.open(servers))
        done = {call.id: asyncio.Event() for call in TALKS}

        async def ask(call: Call) -> None:
            for name in call.after:
                await done[name].wait()
            await asyncio.sleep((call.think if call.after else call.at) / SCALE)
            prompt = [{"role": "user", "content": words(call.session, call.prompt_tokens)}]
            reply = await fleet.ask(call.model, prompt, num_ctx=call.window, session=call.session, group=call.run)
            placed[call.id] = reply.host
            done[call.id].set()

        await asyncio.gather(*map(ask, TALKS))
    return placed


async def test_the_simulation_places_each_call_where_the_fleet_places_it() -> None:
    foretold = await asyncio.to_thread(simulated, "completion_time")
    assert await lived() == foretold
    assert set(foretold.values()) == {"left", "right"}
    assert foretold != await asyncio.to_thread(simulated, "round_robin")


async def mmos_simulate(folder: Path, *args: str) -> tuple[int, str, str]:
    (folder / "pair.yaml").write_text(FLEET)
    process = await start(folder, "simulate", *args)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_policies_are_compared_in_one_table(tmp_path: Path) -> None:
    words = ("--fleet", "pair.yaml", "--generate", "jobs=4 rate=0.1/s output=80")
    code, out, err = await mmos_simulate(tmp_path, *words, "--policy", "all")
    assert code == 0, err
    heads, *rows = [line.split() for line in out.splitlines()[1:9]]
    assert heads[:2] == ["POLICY", "MEAN"]
    assert [row[0] for row in rows] == ["completion_time", "round_robin", "least_busy", "fastest", "resource", "warm_first", "sticky"]
    code, out, err = await mmos_simulate(tmp_path, *words, "--policy", "round_robin", "--policy", "completion_time", "--json")
    assert code == 0, err
    turns, ours = json.loads(out)["fleets"]
    assert (turns["policy"], turns["fleet"], ours["policy"]) == ("round_robin", "pair, round_robin", "completion_time")
    assert ours["total"]["mean"] < turns["total"]["mean"]
    assert ours["total"]["waited_seconds"] < turns["total"]["waited_seconds"]
    for fleet in (turns, ours):
        assert fleet["total"]["done"] == fleet["calls"] == 16
        assert fleet["total"]["loads"] == sum(host["loads"] for host in fleet["hosts"])
    assert [float(cell) for cell in rows[0][1:4]] == [
        round(ours["total"]["mean"], 1), round(ours["total"]["p95"], 1), round(ours["job_times"]["mean"], 1),
    ]  # fmt: skip


async def test_a_policy_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    code, out, err = await mmos_simulate(tmp_path, "--generate", "jobs=1", "--policy", "best")
    assert (code, out) == (2, "")
    assert "'best' is not one of 'completion_time', 'round_robin'" in err
