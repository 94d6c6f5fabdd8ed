"""Compares what was expected of each call and of each load with what happened, and with the best host in hindsight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from mmos.events import Entry, ModelReplied
from mmos.names import canonical
from mmos.views.placement import Elsewhere, Placed

REGRET_KINDS = ("model_replied",)
WORST = 10

Pair = tuple[str, str]
"""A host and a model."""


@dataclass(frozen=True)
class Outcome:
    """One call. All times are seconds on the host's clock."""

    run: str
    time: float
    role: str
    model: str
    host: str
    expected: float
    took: float
    best: float
    """What it would have taken on the best host. It took as long where it ran, so this is never more than `took`."""
    best_host: str
    swap: bool = False

    @property
    def error(self) -> float:
        return abs(self.took - self.expected)


@dataclass(frozen=True)
class Sum:
    """All calls of one model on one host."""

    host: str
    model: str
    calls: int
    expected: float
    """The median, as of `took`."""
    took: float
    error: float
    """The median difference between the two, and what nine in ten calls stay below."""
    error_p90: float
    lost: float
    """Seconds by which the best hosts in hindsight would have been faster, all calls together."""
    swaps: int


@dataclass(frozen=True)
class LoadOutcome:
    """One load, and whether it pushed out a model that was wanted again."""

    run: str
    time: float
    host: str
    model: str
    victims: tuple[str, ...]
    ready: float
    took: float | None
    """None: no reply shows it, because the model was loaded before the first call."""
    gain: float
    loss: float
    wanted_back: bool
    """Whether a call asked for a victim before that could have been back after the load."""


@dataclass(frozen=True)
class Report:
    rows: list[Sum]
    worst: list[Outcome]
    """The calls with the largest errors."""
    loads: list[LoadOutcome]
    left_out: int
    """Replies of older versions, which did not keep what was expected."""


@dataclass(frozen=True)
class _Call:
    entry: Entry
    event: ModelReplied
    placed: Placed

    @property
    def pair(self) -> Pair:
        return self.event.host, canonical(self.event.model)

    @property
    def scale(self) -> float:
        """Seconds of the host for one second of the journal. It is 1 if no rehearsal host runs faster."""
        seconds = self.placed.queued + self.placed.took
        return seconds / self.event.seconds if self.event.seconds > 0 and seconds > 0 else 1.0

    @property
    def asked(self) -> float:
        return self.entry.time - self.event.seconds


@dataclass
class _Rates:
    """The median rates of a model on a host, over all its calls."""

    reads: dict[Pair, list[float]] = field(default_factory=lambda: defaultdict(list))
    writes: dict[Pair, list[float]] = field(default_factory=lambda: defaultdict(list))
    loads: dict[Pair, list[float]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, call: _Call) -> None:
        usage = call.event.usage
        if usage.prompt_tokens > 0:
            self.reads[call.pair].append(usage.prompt_seconds / usage.prompt_tokens)
        if usage.output_tokens > 0:
            self.writes[call.pair].append(usage.output_seconds / usage.output_tokens)
        if usage.loaded:
            self.loads[call.pair].append(usage.load_seconds)

    def seconds(self, call: _Call, other: Elsewhere) -> float | None:
        """What the call would have taken on another host: the waiting as it was expected then, the rest as it became known."""
        pair, usage = (other.host, call.pair[1]), call.event.usage
        if other.seconds is None:
            return None
        if pair not in self.reads or pair not in self.writes:
            return other.seconds
        wait = median(self.loads[pair]) if other.why == "load" and self.loads.get(pair) else other.wait
        return wait + usage.prompt_tokens * median(self.reads[pair]) + usage.output_tokens * median(self.writes[pair])


def report(entries: Iterable[Entry], hosts: Collection[str] = ()) -> Report:
    """The report over these replies. `hosts`: only about calls on these; what others showed counts in the comparison."""
    calls, left_out, rates = [], 0, _Rates()
    for entry in entries:
        if isinstance(event := entry.event, ModelReplied):
            placed = Placed.of(event)
            if event.cached:
                continue
            if placed is None:
                left_out += not hosts or event.host in hosts
            else:
                calls.append(_Call(entry, event, placed))
                rates.learn(calls[-1])
    chosen = [call for call in calls if not hosts or call.event.host in hosts]
    outcomes = [_outcome(call, rates) for call in chosen]
    by_pair: dict[Pair, list[Outcome]] = defaultdict(list)
    for call, outcome in zip(chosen, outcomes, strict=True):
        by_pair[call.pair].append(outcome)
    rows = [_sum(found) for _, found in sorted(by_pair.items())]
    worst = sorted(outcomes, key=lambda outcome: -outcome.error)[:WORST]
    return Report(rows, worst, [_load(call, calls) for call in chosen if call.placed.load is not None], left_out)


def _outcome(call: _Call, rates: _Rates) -> Outcome:
    event, placed = call.event, call.placed
    best, host = placed.took, event.host
    for other in placed.elsewhere:
        seconds = rates.seconds(call, other)
        if seconds is not None and seconds < best:
            best, host = seconds, other.host
    swap = bool(event.placement.get("swap"))
    return Outcome(
        call.entry.run, call.entry.time, event.role, event.model, event.host, placed.expected, placed.took, round(best, 3), host, swap
    )


def _sum(calls: Sequence[Outcome]) -> Sum:
    errors = sorted(call.error for call in calls)
    return Sum(
        calls[0].host,
        calls[0].model,
        len(calls),
        round(median(call.expected for call in calls), 3),
        round(median(call.took for call in calls), 3),
        round(median(errors), 3),
        round(errors[min(len(errors) - 1, int(0.9 * len(errors)))], 3),
        round(sum(call.took - call.best for call in calls), 3),
        sum(call.swap for call in calls),
    )


def _load(call: _Call, calls: Sequence[_Call]) -> LoadOutcome:
    """A victim is wanted back when a call asks for it after the load began, and before both loads could have ended."""
    load, usage = call.placed.load, call.event.usage
    assert load is not None
    begun = call.entry.time - call.placed.took / call.scale
    until = begun + (load.ready + load.back) / call.scale
    wanted = any(other.pair in {(call.event.host, victim) for victim in load.victims} and begun < other.asked <= until for other in calls)
    took = round(usage.load_seconds, 3) if usage.loaded else None
    return LoadOutcome(
        call.entry.run, call.entry.time, call.event.host, call.event.model, load.victims, load.ready, took, load.gain, load.loss, wanted
    )
