"""Replays a workload on a simulated fleet: real hosts over HTTP, real placement, generated texts of the right length."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mmos.config.load import from_mapping
from mmos.errors import MmosError, UsageError
from mmos.fleet.build import seats_of_servers
from mmos.fleet.fleet import Fleet
from mmos.messages import Usage
from mmos.placement.policies import OURS
from mmos.rehearsal.host import Host
from mmos.rehearsal.prompt import Prompt
from mmos.rehearsal.tokens import count
from mmos.simulation.fleetfile import Machine, Machines
from mmos.simulation.outages import Outage, Plug, plugged
from mmos.simulation.residents import Residents
from mmos.simulation.serving import server_of
from mmos.simulation.trace import Call

FRAME = 16
"""Tokens of a prompt besides its words: the marks of the messages, and the message that sets the length of the answer."""


@dataclass(frozen=True)
class ServedCall:
    """One replayed call, in the hosts' seconds since the start of the replay."""

    call: Call
    start: float
    end: float
    host: str = ""
    queue_seconds: float = 0.0
    """Seconds in the fleet's queue, before a host got the call."""
    usage: Usage = Usage()
    error: str = ""

    @property
    def work(self) -> tuple[float, float]:
        """Seconds from the first token that the host read to the last one that it wrote."""
        return self.end - self.usage.prompt_seconds - self.usage.output_seconds, self.end

    @property
    def load(self) -> tuple[float, float]:
        """Seconds of the load of its model."""
        arrival = self.end - self.usage.total_seconds
        return arrival, arrival + self.usage.load_seconds


@dataclass
class ReplayResult:
    """The result of a workload on one fleet."""

    machines: Machines
    policy: str
    hosts: Sequence[Host]
    residents: Residents
    calls: list[ServedCall] = field(default_factory=list)
    outage: Outage | None = None
    """The one that happened."""
    job_sizes: Mapping[str, int] = field(default_factory=dict)
    """The number of calls of each job."""

    @property
    def call_count(self) -> int:
        return sum(self.job_sizes.values())


Progress = Callable[[ReplayResult], None]


class Replay:
    """Replays one workload on one fleet, in the time of the running event loop."""

    def __init__(
        self,
        machines: Machines,
        calls: Sequence[Call],
        *,
        policy: str = OURS,
        outage: Outage | None = None,
        seed: int = 0,
        progress: Progress = lambda _replayed: None,
    ) -> None:
        lacking = sorted({call.model for call in calls if not machines.having(call.model)})
        if lacking:
            raise UsageError(
                f"No host of {machines.name} has {', '.join(lacking)}.",
                next_step="Add it to a host of the fleet file, or replace it with --model OLD=NEW.",
            )
        random.seed(seed)  # pauses after failures have chance in them
        self._calls = calls
        self._outage = outage
        self._half_done = asyncio.Event()
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._done = {call.id: asyncio.Event() for call in calls}
        hosts = [_pretender(machine, self._loop.time, seed) for machine in machines.machines]
        residents = Residents(hosts, self._loop.time)
        self.result = ReplayResult(machines, policy, hosts, residents, job_sizes=Counter(call.run for call in calls))

    async def run(self) -> ReplayResult:
        """Replay everything. After a cancellation, `result` has the calls so far."""
        hosts = self.result.hosts
        async with plugged(hosts) as plugs:
            servers = from_mapping(
                {"orchestration": {"servers": {host.name: server_of(host) for host in hosts}, "arbiter": {"model": "any"}}}, environ={}
            ).servers()
            async with Fleet(seats_of_servers(servers, None), policy=self.result.policy) as fleet:
                self._fleet = fleet
                self._began = self._loop.time()
                await self._all(plugs)
        return self.result

    async def _all(self, plugs: Mapping[str, Plug]) -> None:
        beside = [asyncio.create_task(self.result.residents.watch(self._began))]
        if self._outage is not None:
            beside.append(asyncio.create_task(self._cut(self._outage, plugs[self._outage.host])))
        try:
            async with asyncio.TaskGroup() as group:
                for call in self._calls:
                    group.create_task(self._one(call))
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self.result.residents.close()

    async def _cut(self, outage: Outage, plug: Plug) -> None:
        """Take the power from a host and give it back."""
        if outage.span is None:
            await self._half_done.wait()
        else:
            await asyncio.sleep(self._began + outage.span[0] - self._loop.time())
        start = self._loop.time() - self._began
        end = outage.span[1] if outage.span else 1.5 * start
        self.result.outage = Outage(outage.host, (start, end))
        self.result.residents.look()
        await plug.pull()
        self.result.residents.look()
        await asyncio.sleep(self._began + end - self._loop.time())
        await plug.put_in()

    async def _one(self, call: Call) -> None:
        for name in call.after:
            await self._done[name].wait()
        await asyncio.sleep(call.think if call.after else self._began + call.at - self._loop.time())
        start = self._loop.time() - self._began
        try:
            result = await self._ask(call, start)
        except MmosError as error:
            result = ServedCall(call, start, self._loop.time() - self._began, error=f"{error.code}: {error.message}")
        self.result.calls.append(result)
        self._done[call.id].set()
        if 2 * len(self.result.calls) >= len(self._calls):
            self._half_done.set()
        self.result.residents.look()
        self._progress(self.result)

    async def _ask(self, call: Call, start: float) -> ServedCall:
        fits = call.prompt_tokens + call.output_tokens < call.window
        messages = [
            {"role": "system", "content": words(call.session, call.prompt_tokens)},
            {"role": "user", "content": f"answer {call.output_tokens}"},
        ]
        reply = await self._fleet.ask(call.model, messages, num_ctx=call.window if fits else None, session=call.session, group=call.run)
        queue_seconds = float(reply.placement.get("queue_seconds", 0.0))
        return ServedCall(call, start, self._loop.time() - self._began, reply.host, queue_seconds, reply.usage)


def _pretender(machine: Machine, steady: Callable[[], float], seed: int) -> Host:
    """The host with models that answer with the requested number of tokens."""
    models = [replace(model, turns=(_answer,), repeat=True) for model in machine.models]
    return replace(machine, models=models).host(1.0, seed=seed, steady=steady)


def _answer(prompt: Prompt) -> str:
    """The requested number of words, each one token."""
    return " ".join(map(str, range(int(prompt.user_text.rpartition(" ")[2]))))


_WORDS = "".join(f"w{number:04d} " for number in range(10_000))
_WORD = 6
_WEIGHT = count(_WORDS) / 10_000


def words(session: str, tokens: int) -> str:
    """A text of about this many tokens. Texts of a session have a common beginning, like the growing prompts of a conversation."""
    number = max(0, round((tokens - FRAME) / _WEIGHT))
    text = _WORDS * (number // 10_000) + _WORDS[: number % 10_000 * _WORD]
    return f"{zlib.crc32(session.encode()):08x} {text}"
