"""Forecasts what a job of several models costs on the hosts as they are now: loads, seconds, and seconds of GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mmos.placement.copies import Copy, Host, State
from mmos.placement.ledger import Ledger

Order: TypeAlias = Literal["first", "last", "any"]
"""When a model is asked best among several."""


@dataclass(frozen=True)
class Planning:
    """A call that a job will make."""

    model: str
    """Its canonical name."""
    hosts: tuple[str, ...] = ()
    """Empty: any host that has the model."""
    prompt_tokens: float = 0.0
    output_tokens: float | None = None
    """None: as many as the model usually writes."""
    window: int = 0


@dataclass(frozen=True)
class Foreseen:
    """Where a call would go."""

    model: str
    host: str
    """Empty: no host has the model, or all of them are closed."""
    loads: bool = False
    begins: float = 0.0
    seconds: float = 0.0
    """Of its reading and writing."""
    load_seconds: float = 0.0
    victims: tuple[str, ...] = ()
    """Models that must leave for it."""
    guessed: bool = False
    """Whether the host has not shown yet how fast the model is there."""

    @property
    def ends(self) -> float:
        return self.begins + self.seconds


@dataclass(frozen=True)
class Forecast:
    """What a job costs. Calls of other jobs are left out."""

    calls: tuple[Foreseen, ...]
    seconds: float
    """From the beginning to the last answer."""

    @property
    def loads(self) -> int:
        return sum(call.loads for call in self.calls)

    @property
    def gpu_seconds(self) -> float:
        return sum(call.seconds + call.load_seconds for call in self.calls)

    @property
    def missing(self) -> list[str]:
        """The models that no host can serve."""
        return list(dict.fromkeys(call.model for call in self.calls if not call.host))

    @property
    def guessed(self) -> bool:
        return any(call.guessed for call in self.calls)


@dataclass
class _Seat:
    """A host while the job is played through."""

    host: Host
    held: dict[Copy, list[float]]
    """For each model in memory, when each of its slots is free."""
    loaded: float = 0.0
    """When its last load ends."""
    sizes: dict[Copy, float] = field(default_factory=dict)

    def fitting(self, copy: Copy, window: int) -> tuple[float, list[Copy]]:
        """When a model could be loaded, and which models must leave for it: those that are idle first."""
        kept, begins, victims = dict(self.held), self.loaded, []
        size = copy.claim(window or copy.least)
        for victim in sorted(self.held, key=lambda one: (max(self.held[one]), one.model)):
            if self.host.memory.fits(size, [self.sizes[one] for one in kept]):
                break
            if not victim.pinned:
                victims.append(victim)
                begins = max(begins, *self.held[victim])
                del kept[victim]
        return begins, victims


def forecast(ledger: Ledger, stages: Iterable[Sequence[Planning]], now: float) -> Forecast:
    """Play a job through. The calls of one stage may run side by side, and a stage begins when the one before it has ended.

    Of the calls of a stage, the one comes next that would end first: those whose model is in memory, and those that share a load.
    """
    seats = {name: _seat(host, now) for name, host in ledger.hosts.items()}
    calls: list[Foreseen] = []
    end = 0.0
    for stage in stages:
        start, waiting = end, []
        for call in stage:
            if any(_options(ledger, seats, call, start, now)):
                waiting.append(call)
            else:
                calls.append(Foreseen(call.model, ""))
        while waiting:
            found = [(option, call) for call in waiting for option in _options(ledger, seats, call, start, now)]
            best, call = min(found, key=lambda one: one[0].ends)
            waiting.remove(call)
            _take(ledger, seats[best.host], call, best)
            calls.append(best)
            end = max(end, best.ends)
    return Forecast(tuple(calls), end)


def _seat(host: Host, now: float) -> _Seat:
    """What the host holds now. A slot that is taken is free when its call should end."""
    held = {copy: [max(0.0, copy.free_at(now))] * copy.slots for copy in host.residents if copy.state is State.RESIDENT}
    return _Seat(host, held, sizes={copy: copy.bytes() for copy in held})


def _options(ledger: Ledger, seats: dict[str, _Seat], call: Planning, start: float, now: float) -> Iterator[Foreseen]:
    """Every host where a call could go."""
    for copy in ledger.having((call.model,), call.hosts):
        if copy.closed_until > now:
            continue
        seat = seats[copy.host.name]
        output = ledger.lengths.estimate(copy.model, "") if call.output_tokens is None else call.output_tokens
        guessed = not ledger.writes.tried(copy.host.name, copy.model)
        seconds = copy.seconds(call.prompt_tokens, output)
        if copy in seat.held:
            yield Foreseen(copy.model, copy.host.name, False, max(start, min(seat.held[copy])), seconds, guessed=guessed)
        else:
            begins, victims = seat.fitting(copy, call.window)
            ready = max(start, begins) + copy.load
            yield Foreseen(copy.model, copy.host.name, True, ready, seconds, copy.load, tuple(one.model for one in victims), guessed)


def _take(ledger: Ledger, seat: _Seat, call: Planning, chosen: Foreseen) -> None:
    copy = next(one for one in ledger.by_model[chosen.model] if one.host is seat.host)
    if chosen.loads:
        seat.loaded = chosen.begins
        seat.held = {one: slots for one, slots in seat.held.items() if one.model not in chosen.victims}
        seat.held[copy] = [chosen.begins] * max(1, copy.slots)
        seat.sizes[copy] = copy.bytes(call.window)
    slots = seat.held[copy]
    slots[slots.index(min(slots))] = chosen.ends
