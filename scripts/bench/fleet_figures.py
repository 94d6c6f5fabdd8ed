"""Runs traces in virtual time and computes the figures of the fleet bench, with a bound that no fleet can beat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.fleet_driver import Done, Play, Wish
from bench.fleet_engine import EngineFleet
from bench.fleet_traces import MODELS, Shape, Trace
from bench.fleet_world import VirtualLoop, World, WorldError
from mmos.placement.facts import Settings
from mmos.simulation.figures import percentile


@dataclass(frozen=True)
class Score:
    """The figures of one trace with one policy."""

    mean: float
    p95: float
    job: float
    """The mean time of a job, from its first call to its last answer."""
    loads: float
    reuse: float
    """The share of all prompt tokens that came from a cache."""
    lost: float
    bound: float = 0.0
    """The mean latency that no fleet can beat."""


def play(trace: Trace, policy: str, settings: Settings | None = None, *, lag: float = 0.02, told: bool = True) -> tuple[Score, list[Done]]:
    """Play a trace in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(_played(trace, policy, settings, lag=lag, told=told))
    finally:
        loop.close()


async def _played(trace: Trace, policy: str, settings: Settings | None, *, lag: float, told: bool) -> tuple[Score, list[Done]]:
    loop = asyncio.get_running_loop()
    world = World.of([shape.host(loop.time) for shape in trace.shapes], lag)
    fleet = EngineFleet(world, policy, settings, told=told)
    beside = [loop.create_task(_happen(trace, world)), *(loop.create_task(_strange(world, *one)) for one in trace.strangers.items())]
    done = await Play(trace.calls, fleet.ask, loop.time).run()
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    await fleet.close()
    for host in world.hosts.values():
        host.residency.stop()
    loads = sum(host.loads for host in world.hosts.values())
    return score(trace, done, loads), done


async def _happen(trace: Trace, world: World) -> None:
    now = 0.0
    for event in sorted(trace.events, key=lambda event: event.at):
        await asyncio.sleep(event.at - now)
        now = event.at
        if event.kind == "fall":
            world.fall(event.host)
        elif event.kind == "hang":
            world.hung.add(event.host)
        else:
            world.down.discard(event.host)
            world.hung.discard(event.host)


async def _strange(world: World, host: str, calls: Sequence[Wish]) -> None:
    async def ask(wish: Wish) -> tuple[str, int]:
        try:
            told = await world.chat(host, wish.model, wish, wish.window, lambda: None)
        except WorldError:
            return host, 0
        return host, told.reused

    await Play(calls, ask, asyncio.get_running_loop().time).run()


def score(trace: Trace, done: Sequence[Done], loads: float) -> Score:
    well = [one for one in done if not one.error]
    jobs: dict[str, list[Done]] = {}
    for one in well:
        jobs.setdefault(one.call.run, []).append(one)
    times = [max(one.done for one in job) - min(one.asked for one in job) for job in jobs.values()]
    tokens = sum(one.call.prompt_tokens for one in well)
    return Score(
        mean=_mean([one.latency for one in well]),
        p95=percentile([one.latency for one in well], 0.95),
        job=_mean(times),
        loads=loads,
        reuse=sum(one.reused for one in well) / tokens if tokens else 0.0,
        lost=len(trace.calls) - len(well),
        bound=bound(trace),
    )


def bound(trace: Trace) -> float:
    """The mean latency if no call ever waited: each on its fastest host, with all that its session could have left in the cache, and one load of each model."""
    held: dict[str, int] = {}
    heads: set[str] = set()
    loaded: set[tuple[str, ...]] = set()
    spent = 0.0
    for call in trace.calls:
        known = held.get(call.session, call.head_tokens if call.head in heads else 0)
        spent += min(_alone(shape, model, call, known) for shape in trace.shapes for model in call.choices if model in shape.models)
        if call.choices not in loaded:
            loaded.add(call.choices)
            spent += min(MODELS[model].size / 1e9 / shape.disk_gbps for shape in trace.shapes for model in call.choices)
        held[call.session] = call.prompt_tokens + call.output_tokens
        heads |= {call.head} - {""}
    return spent / len(trace.calls)


def _alone(shape: Shape, name: str, call: Wish, known: int) -> float:
    speed = MODELS[name].speed
    fresh = max(1, call.prompt_tokens - known)
    return (fresh / speed.prefill + call.output_tokens / speed.decode) / shape.speed


def averaged(scores: Sequence[Score]) -> Score:
    return Score(*(_mean([getattr(one, name) for one in scores]) for name in Score.__dataclass_fields__))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


Table = Mapping[str, Mapping[str, Score]]
"""For each trace the score of each policy."""


def measured(
    makers: Mapping[str, Callable[[int], Trace]],
    policies: Sequence[str],
    seeds: Sequence[int],
    player: Callable[[Trace, str], tuple[Score, list[Done]]] = play,
) -> Table:
    """The means over some seeds."""
    return {
        name: {policy: averaged([player(make(seed), policy)[0] for seed in seeds]) for policy in policies} for name, make in makers.items()
    }
