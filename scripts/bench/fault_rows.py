"""Plays each fault of the rehearsal hosts on one of three hosts while sessions work on them, through `mmos.Fleet` over HTTP, in time that jumps."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Any, get_args

from mmos.config.load import from_mapping
from mmos.errors import HostError
from mmos.fleet.asking import Ask, Observer
from mmos.fleet.build import seats_of_servers
from mmos.fleet.fleet import Fleet
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.rehearsal.faults import MID_STREAM, Kind
from mmos.rehearsal.host import Host
from mmos.rehearsal.memory import GIB
from mmos.rehearsal.personas import Model, Speed
from mmos.rehearsal.prompt import Prompt
from mmos.simulation.leap import LeapingLoop
from mmos.simulation.outages import Plug, plugged
from mmos.simulation.serving import server_of

HOSTS = ("one", "two", "three")
ILL = "one"
MODELS = ("a:7b", "b:7b", "c:7b", "d:7b", "e:7b", "f:7b", "g:7b", "h:7b")
SPEED = Speed(load_seconds=6.0, prefill=2000.0, decode=40.0)
SESSIONS = 9
BEGIN, LASTS, REST = 90.0, 120.0, 120.0
"""Seconds until the fault, of the fault, and after it."""
FIRST = 15.0
"""Seconds of the fault in which the calls count for the time to recover."""
LONGEST = 3000.0
"""Seconds after which a call counts as lost."""
NONE = "none"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "flapping": {"seconds": 10.0},
    "hang": {"path": "*"},
    "late": {"seconds": 5.0},
    "stall": {"chunks": 5},
    "cut": {"chunks": 5},
    "error_line": {"chunks": 5},
    "garbage": {"chunks": 5},
    "refuse": {"path": "*"},
    "wrong_vram": {"path": "*"},
    "deadlock": {"times": 1},
    "clock_jump": {"times": 1},
    "killed": {"times": 20},
}
"""How each fault is made. By default it strikes all calls to models."""
UNPLUGGED = {"power_cut": LASTS, "restart": 5.0}
"""Seconds without power: all connections break off, and the memory is empty afterwards."""
ONCE: Mapping[str, tuple[Kind, str]] = {"one_hang": ("hang", "/api/chat"), "one_stall": ("stall", "/api/chat")}
"""Faults that strike a single call, while others on the same host go on."""
FAULTS = (NONE, *UNPLUGGED, *ONCE, *get_args(Kind))


@dataclass
class Called(Observer):
    """A call, and what became of it."""

    id: str
    model: str
    begun: float
    ended: float | None = None
    host: str = ""
    failures: int = 0
    error: str = ""

    def failed(self, host: str, error: HostError) -> None:  # noqa: ARG002
        self.failures += 1


@dataclass(frozen=True)
class Row:
    """What one fault did."""

    fault: str
    calls: int
    lost: int
    twice: int
    """Calls that two hosts answered."""
    failed_over: int
    """Calls with a failed attempt, and an answer."""
    mean: float
    """Seconds of a call, like the figures below."""
    longest: float
    recovered: float
    """From the fault until all calls were answered that were under way then, or came in its first seconds."""
    back: float | None
    """From the end of the fault until the host answered a call again. None: it did not, or there was no fault."""
    loads: int
    errors: tuple[str, ...] = ()
    """Why calls were lost."""


@dataclass
class Play:
    """One fault under load."""

    fault: str
    seed: int
    calls: list[Called] = field(default_factory=list)

    async def run(self) -> Row:
        loop = asyncio.get_running_loop()
        hosts = [_host(name, loop) for name in HOSTS]
        async with plugged(hosts) as plugs:
            servers = {host.name: server_of(host) for host in hosts}
            config = from_mapping({"orchestration": {"servers": servers, "arbiter": {"model": "any"}}}, environ={})
            async with Fleet(seats_of_servers(config.servers(), 1.0)) as fleet:
                strike = loop.create_task(self._strike(plugs[ILL]))
                sessions = [loop.create_task(self._session(fleet, number)) for number in range(SESSIONS)]
                await asyncio.wait(sessions, timeout=LONGEST)
                for task in (strike, *sessions):
                    task.cancel()
                await asyncio.gather(strike, *sessions, return_exceptions=True)
                return self._row(hosts)

    async def _strike(self, plug: Plug) -> None:
        await asyncio.sleep(BEGIN)
        if self.fault in UNPLUGGED:
            await plug.pull()
            await asyncio.sleep(UNPLUGGED[self.fault])
            await plug.put_in()
        elif self.fault in ONCE:
            kind, path = ONCE[self.fault]
            plug.host.faults.add(kind, path=path, times=1)
        elif self.fault != NONE:
            active = plug.host.faults.add(self.fault, **OPTIONS.get(self.fault, {}))  # type: ignore[arg-type]  # all kinds are in FAULTS
            await asyncio.sleep(LASTS)
            plug.host.faults.remove(active)

    async def _session(self, fleet: Fleet, number: int) -> None:
        """An agent: it asks one model after the other, mostly the same one as before."""
        chance, loop = random.Random(f"{self.seed} {number}"), asyncio.get_running_loop()
        model, turn = chance.choice(MODELS), 0
        while loop.time() < BEGIN + LASTS + REST:
            await asyncio.sleep(chance.expovariate(1 / 3.0))
            model = chance.choice(MODELS) if chance.random() < 0.3 else model
            turn += 1
            call = Called(f"s{number}.{turn}", model, loop.time())
            self.calls.append(call)
            prompt = [Message("system", f"{number} " * 600), Message("user", f"call {call.id}, {chance.randrange(40, 160)} words")]
            try:
                reply = await fleet.serve(Ask(ChatRequest(model, prompt, 4096), session=f"{number} {model}", observer=call))
                call.host = reply.host
            except HostError as error:
                call.error = str(error)
            call.ended = loop.time()

    def _row(self, hosts: Sequence[Host]) -> Row:
        answered = [call for call in self.calls if call.host]
        seconds = [call.ended - call.begun for call in answered if call.ended is not None]
        under_way = [call.ended or LONGEST for call in self.calls if call.begun < BEGIN + FIRST < FIRST + (call.ended or LONGEST)]
        lasts = UNPLUGGED.get(self.fault, 0.0 if self.fault in ONCE or OPTIONS.get(self.fault, {}).get("times") else LASTS)
        later = [call.ended for call in answered if call.host == ILL and call.ended and call.begun > BEGIN + lasts]
        return Row(
            self.fault,
            len(self.calls),
            len(self.calls) - len(answered),
            sum(count > 1 for count in _answers(hosts).values()),
            sum(call.failures > 0 for call in answered),
            mean(seconds),
            max(seconds),
            max(under_way, default=BEGIN) - BEGIN,
            min(later) - BEGIN - lasts if later and self.fault != NONE else None,
            sum(host.loads for host in hosts),
            tuple(dict.fromkeys(call.error or "no answer" for call in self.calls if not call.host)),
        )


def _answers(hosts: Sequence[Host]) -> Counter[str]:
    """How many whole answers each call got, by the logs of the hosts."""
    seen = [entry for host in hosts for entry in host.requests.to("/api/chat")]
    whole = [entry for entry in seen if entry.status == 200 and not entry.cancelled and entry.fault not in MID_STREAM]
    return Counter(entry.json["messages"][-1]["content"] for entry in whole if entry.body)


def _host(name: str, loop: asyncio.AbstractEventLoop) -> Host:
    models = [replace(Model(model, speed=SPEED, turns=(_words,), repeat=True), size=5 * GIB) for model in MODELS]
    return Host(name, models, time_scale=1.0, parallel=2, vram_gb=13.0, steady=loop.time)


def _words(prompt: Prompt) -> str:
    """As many words as the call asks for."""
    return " ".join(map(str, range(int(prompt.user_text.split()[-2]))))


def play(fault: str, seed: int = 0) -> Row:
    """Play one fault."""
    loop = LeapingLoop()
    try:
        return loop.run_until_complete(Play(fault, seed).run())
    finally:
        loop.close()


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """A table."""
    heads = ("FAULT", "CALLS", "LOST", "TWICE", "FAILED OVER", "MEAN s", "LONGEST s", "RECOVERED s", "BACK s", "LOADS")
    yield "  ".join(f"{head:<12}" if number == 0 else f"{head:>{max(6, len(head))}}" for number, head in enumerate(heads))
    for row in rows:
        back = "-" if row.back is None else f"{row.back:.0f}"
        numbers = (f"{row.calls}", f"{row.lost}", f"{row.twice}", f"{row.failed_over}", f"{row.mean:.1f}", f"{row.longest:.0f}")
        cells = (row.fault, *numbers, f"{row.recovered:.0f}", back, f"{row.loads}")
        yield "  ".join(
            f"{cell:<12}" if number == 0 else f"{cell:>{max(6, len(head))}}"
            for number, (cell, head) in enumerate(zip(cells, heads, strict=True))
        )
        yield from (f"    lost: {error}" for error in row.errors[:3])
