"""Hosts, the models that they have, and the calls on them, as the ledger keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heapreplace

from mmos.placement.facts import Limit, Machine, Need, Send
from mmos.placement.health import Breaker
from mmos.placement.lines import Waiting
from mmos.placement.memory import SHARE_OF_FREE, Memory
from mmos.placement.prefixes import Prefixes

LEAST_LEFT = 0.1
"""The part of a call's expected time that is always left, however long it has taken."""
FORGET_OTHERS = 60.0
"""Seconds after which a wait for other clients' calls counts a third."""


class State(Enum):
    """Where a model is."""

    ABSENT = "absent"
    LOADING = "loading"
    RESIDENT = "resident"
    UNLOADING = "unloading"


@dataclass(slots=True, eq=False)
class Flight:
    """A call on a host."""

    attempt: int
    waiting: Waiting
    copy: Copy
    send: Send
    sent: float
    seconds: float
    """Its expected time there, without waiting for a slot."""
    rider: bool = False
    """Whether the host loads the model for it."""
    express: bool = False
    """Whether it was sent without a decision."""


@dataclass(slots=True, eq=False)
class Copy:
    """A model that a host has, in memory or not."""

    host: Host
    model: str
    need: Need
    prefixes: Prefixes
    state: State = State.ABSENT
    leaving: bool = False
    """Whether it waits for its last calls, to be unloaded."""
    pinned: bool = False
    ridden: bool = False
    """Whether a call loads it. Then further calls may follow before it is loaded."""
    returning: bool = False
    """Whether the host pushed it out while it had calls, and loads it again for them. It gets no more until it is there, so that two models do not take turns."""
    outlived: bool = False
    """Whether its load goes on although the call that began it has left."""
    window: int = 0
    """The window that it has in memory. 0: unknown."""
    least: int = 0
    """The window that it is loaded with at least."""
    grows: bool = False
    """Whether its calls have growing prompts."""
    longest: int = 0
    """The largest window that the host gave it when a larger one was ordered. 0: any so far."""
    measured: tuple[float, int] = (0.0, 0)
    """Its memory as the host showed it last, and the window that it had then. 0: never shown."""
    flights: dict[int, Flight] = field(default_factory=dict)
    prior: float = 0.0
    """Seconds for a token of the answer, before the host has written any."""
    read: float = 0.0
    """Seconds for a token of the prompt, and of the answer."""
    write: float = 0.0
    load: float = 0.0
    ready: float = 0.0
    """When its load is expected to end."""
    since: float = -math.inf
    """When it was loaded."""
    left: float = -math.inf
    """When it was unloaded."""
    breaker: Breaker = field(default_factory=lambda: Breaker(by_share=True))
    """Closed while it cannot be loaded, or fails."""
    doubted: float = -math.inf
    """Until when it gets no calls, because a load may have pushed it out: the host is asked meanwhile."""
    heard: float = -math.inf
    """When it last showed progress."""
    usual: float = 0.0
    """The usual time of a call here."""
    free: tuple[tuple[float, int, int], float] = ((-math.inf, 0, 0), 0.0)
    """When its first slot is free, and the time, the calls and the newest call of the host for which that was computed."""

    slots: int = field(init=False)

    def __post_init__(self) -> None:
        self.slots = self.host.machine.slots

    @property
    def serves(self) -> bool:
        """Whether it can take calls, now or when its load ends."""
        state = self.state
        return not self.leaving and (state is State.RESIDENT or (state is State.LOADING and self.host.breaker.stuck is None))

    @property
    def is_coming(self) -> bool:
        """Whether it is being loaded, or will be."""
        return self.state is State.LOADING or self.is_planned

    @property
    def is_planned(self) -> bool:
        """Whether the plan of its host is to load it."""
        return self.host.plan is not None and self.host.plan.copy is self

    @property
    def closed_until(self) -> float:
        """Until when no call is sent here, because the host or the model failed."""
        return max(self.host.breaker.until, self.breaker.until)

    @property
    def most(self) -> int:
        """The largest window that it can have. 0: unknown."""
        return self.longest or self.need.longest

    def cut(self, window: int) -> int:
        """The window that the host gives it when this one is ordered."""
        return min(window, self.most or window)

    def holds(self, window: int) -> bool:
        """Whether it can serve calls with this window, as it is in memory."""
        return not self.window or self.cut(window) <= self.window

    def bytes(self, window: int = 0) -> float:
        """Its memory: as the user says, as the host showed it, or as computed for a larger window."""
        (size, at), window = self.measured, max(window, self.window) or self.least
        if not size or self.need.told:
            return self.need.size(window)
        return size + self.need.token * (window - at) if at else size

    def claim(self, window: int) -> float:
        """The size by which it is decided whether it fits beside others. The host leaves the engine's own memory out, but needs it, too."""
        if self.need.told:
            return self.need.told
        computed = self.need.weights + self.need.token * window
        return max(computed, SHARE_OF_FREE * self.bytes(window))

    def seconds(self, prompt: float, output: float) -> float:
        """The time of a call here."""
        return prompt * self.read + output * self.write

    def free_at(self, now: float, ahead: float = 0.0) -> float:
        """Seconds until a slot is free for one more call, after `ahead` others that have been promised a slot."""
        slots, count = self.slots, len(self.flights)
        start = max(0.0, self.ready - now) if self.is_coming else 0.0
        if count + ahead < slots:
            return start
        if count < slots:
            return start + (count + ahead - slots + 1) / slots * self.usual
        when = now, count, self.host.sent
        if self.free[0] != when:  # a decision asks again and again
            self.free = when, self._free_at(now)
        first = self.free[1]
        return (max(first, start)) + ahead / slots * self.usual

    def _free_at(self, now: float) -> float:
        """Seconds until the first slot is free after the calls on it, when all are taken."""
        ends: list[float] = []
        for flight in self.flights.values():
            if len(ends) < self.slots:
                ends.append(max(flight.sent + flight.send.terms.wait + flight.seconds - now, LEAST_LEFT * flight.seconds))
                if len(ends) == self.slots:
                    heapify(ends)
            else:
                heapreplace(ends, ends[0] + flight.seconds)
        return ends[0]


@dataclass(eq=False)
class Host:
    """A host and its models."""

    machine: Machine
    memory: Memory
    copies: dict[str, Copy] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    plan: Plan | None = None
    returning: list[Copy] = field(default_factory=list)
    """Models that it will load after the planned one, because it pushed them out while they had calls."""
    others: float = 0.0
    """Seconds that calls wait here for other clients."""
    others_at: float = 0.0
    heard: float = -math.inf
    newest: str = ""
    """The model whose load was ordered after the host last listed its models."""
    sent: int = 0
    """A mark of its newest call, for policies that take turns."""
    obeys: bool = True
    """Whether it can be told to load and to unload. If not, all its models count as loaded."""

    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.machine.name
        self.obeys = self.machine.loads

    @property
    def in_flight(self) -> int:
        return sum(len(copy.flights) for copy in self.copies.values())

    @property
    def residents(self) -> list[Copy]:
        return [copy for copy in self.copies.values() if copy.state is not State.ABSENT]

    def foreign(self, now: float) -> float:
        return self.others * math.exp((self.others_at - now) / FORGET_OTHERS) if self.others else 0.0

    def takes_calls(self, now: float) -> bool:
        breaker = self.breaker
        return not breaker.is_open(now) and not (breaker.on_trial and self.in_flight)


@dataclass(slots=True)
class Plan:
    """A load that was decided: its victims finish their calls, then leave, then it begins."""

    copy: Copy
    window: int
    victims: tuple[Copy, ...]
    gain: float
    loss: float
    begun: bool = False
    """Whether the load was ordered."""
    ridden: bool = False
    """Whether a call is the load, and not a task that reports its end."""
    ahead: bool = False
    """Whether it is for calls that have not come yet."""
    limits: tuple[Limit, ...] = ()
