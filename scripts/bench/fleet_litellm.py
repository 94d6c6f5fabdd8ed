"""Plays the traces of the fleet bench through the Router of LiteLLM, if that package is installed.

LiteLLM measures with the clock of the machine, so time cannot jump: the hosts' clocks run faster than real time instead.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from bench.fleet_driver import Done, Play, Wish
from bench.fleet_figures import Score
from bench.fleet_live import answering, happen, messages, scored, strange
from bench.fleet_traces import Trace
from mmos.hosts.ollama import OllamaHost
from mmos.rehearsal.host import Host
from mmos.simulation.serving import serve_hosts

STRATEGIES = ("simple-shuffle", "least-busy", "latency-based-routing")
FASTER = 20.0
"""How many times faster than real time the hosts' clocks run."""
RETRIES = 3


def play_litellm(trace: Trace, strategy: str) -> tuple[Score, list[Done]]:
    """Play a trace in accelerated time."""
    return asyncio.run(_played(trace, strategy))


def router_of(trace: Trace, hosts: Mapping[str, Host], strategy: str) -> Any:
    """A group of deployments for each model, and for each choice of models."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the internet for prices
    try:
        from litellm import Router  # type: ignore[import-not-found,unused-ignore]  # not a dependency of MMOS
    except ImportError:
        raise SystemExit("--litellm needs the package litellm: install it beside MMOS, as with `pip install litellm`.") from None
    deployments = [
        {"model_name": "|".join(choices), "litellm_params": {"model": f"ollama_chat/{model}", "api_base": hosts[shape.name].url}}
        for choices in dict.fromkeys(call.choices for call in trace.calls)
        for model in choices
        for shape in trace.shapes
        if model in shape.models
    ]
    return Router(model_list=deployments, routing_strategy=strategy, num_retries=RETRIES, timeout=3600)


async def _played(trace: Trace, strategy: str) -> tuple[Score, list[Done]]:
    loop = asyncio.get_running_loop()
    hosts = {shape.name: answering(shape.host(loop.time, FASTER)) for shape in trace.shapes}
    async with serve_hosts(list(hosts.values()), [0] * len(hosts)):
        router = router_of(trace, hosts, strategy)

        def clock() -> float:
            return loop.time() * FASTER

        clients = {name: OllamaHost(name, host.url) for name, host in hosts.items()}
        beside = [
            loop.create_task(happen(trace, hosts, FASTER)),
            *(loop.create_task(strange(clients[name], calls, clock, FASTER)) for name, calls in trace.strangers.items()),
        ]
        done = await Play(trace.calls, partial(_asked, router), clock, FASTER).run()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in clients.values()))
    return scored(trace, done, hosts), done


async def _asked(router: Any, wish: Wish) -> tuple[str, int]:
    await router.acompletion(model="|".join(wish.choices), messages=messages(wish), num_ctx=wish.window)
    return "", 0
