"""Plays the traces of the fleet bench through `mmos.Fleet` and rehearsal hosts over HTTP. Their time jumps from one timer to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from bench.fleet_driver import Done, Play, Wish
from bench.fleet_figures import Score, score
from bench.fleet_traces import Trace
from mmos.config.load import from_mapping
from mmos.errors import HostError
from mmos.fleet.asking import Ask
from mmos.fleet.build import seats_of_servers
from mmos.fleet.fleet import Fleet
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.face import Host as Client
from mmos.messages import Message
from mmos.rehearsal.faults import ActiveFault
from mmos.rehearsal.host import Host
from mmos.rehearsal.prompt import Prompt
from mmos.simulation.leap import LeapingLoop
from mmos.simulation.replay import words
from mmos.simulation.serving import serve_hosts, server_of


def play_live(trace: Trace, policy: str, *, told: bool = True) -> tuple[Score, list[Done]]:
    """Play a trace. `told`: the configuration says how much memory the hosts have."""
    loop = LeapingLoop()
    try:
        return loop.run_until_complete(_played(trace, policy, told=told))
    finally:
        loop.close()


async def _played(trace: Trace, policy: str, *, told: bool) -> tuple[Score, list[Done]]:
    loop = asyncio.get_running_loop()
    hosts = {shape.name: answering(shape.host(loop.time)) for shape in trace.shapes}
    async with serve_hosts(list(hosts.values()), [0] * len(hosts)):
        servers = {name: server_of(host) for name, host in hosts.items()}
        if not told:
            servers = {name: {key: value for key, value in server.items() if key != "vram_gb"} for name, server in servers.items()}
        config = from_mapping({"orchestration": {"servers": servers, "arbiter": {"model": "any"}}}, environ={})
        async with Fleet(seats_of_servers(config.servers(), 1.0), policy=policy) as fleet:
            beside = [
                loop.create_task(happen(trace, hosts)),
                *(loop.create_task(strange(fleet.host(name), calls, loop.time)) for name, calls in trace.strangers.items()),
            ]
            done = await Play(trace.calls, lambda wish: _asked(fleet, wish), loop.time).run()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
    return scored(trace, done, hosts), done


def scored(trace: Trace, done: Sequence[Done], hosts: Mapping[str, Host]) -> Score:
    """The figures, with what the hosts found in their caches."""
    made = score(trace, done, sum(host.loads for host in hosts.values()))
    reused, read = (sum(getattr(host, name) for host in hosts.values()) for name in ("tokens_reused", "tokens_evaluated"))
    return replace(made, reuse=reused / (reused + read))


async def _asked(fleet: Fleet, wish: Wish) -> tuple[str, int]:
    request, *others = (_request(wish, model) for model in wish.choices)
    reply = await fleet.serve(Ask(request, session=wish.session, urgent=wish.urgent, group=wish.run, others=tuple(others)))
    return reply.host, reply.usage.cached_tokens or 0


def _request(wish: Wish, model: str) -> ChatRequest:
    return ChatRequest(model, [Message.from_json(message) for message in messages(wish)], wish.window)


def messages(wish: Wish) -> list[dict[str, str]]:
    """The prompt of a call: the texts of a session begin alike, and so do those of a head."""
    head = words(wish.head, wish.head_tokens) if wish.head else ""
    return [
        {"role": "system", "content": head + words(wish.session, wish.prompt_tokens - (wish.head_tokens if head else 0))},
        {"role": "user", "content": f"answer {wish.output_tokens}"},
    ]


def answering(host: Host) -> Host:
    """Its models answer with the requested number of tokens, each one word."""
    for name, model in host.installed.items():
        host.installed[name] = replace(model, turns=(_answer,), repeat=True)
    return host


def _answer(prompt: Prompt) -> str:
    return " ".join(map(str, range(int(prompt.user_text.rpartition(" ")[2]))))


async def happen(trace: Trace, hosts: Mapping[str, Host], faster: float = 1.0) -> None:
    """What happens to the hosts."""
    now, open_faults = 0.0, dict[str, ActiveFault]()
    for event in sorted(trace.events, key=lambda event: event.at):
        await asyncio.sleep((event.at - now) / faster)
        now, faults = event.at, hosts[event.host].faults
        if event.host in open_faults:
            faults.remove(open_faults.pop(event.host))
        if event.kind in ("fall", "hang"):
            open_faults[event.host] = faults.add("refuse" if event.kind == "fall" else "hang", path="*")


async def strange(host: Client, calls: Sequence[Wish], clock: Callable[[], float], faster: float = 1.0) -> None:
    """Another client, which asks the host itself."""

    async def ask(wish: Wish) -> tuple[str, int]:
        with suppress(HostError):
            await host.chat(_request(wish, wish.choices[0]), timeouts=Timeouts())
        return host.name, 0

    await Play(calls, ask, clock, faster).run()
